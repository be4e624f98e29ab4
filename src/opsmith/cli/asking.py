"""Options that say where answers come from, handed on as one value."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import click

# Wider plots are no easier to read.
WIDEST = 100


def asking_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where answers come from; they are handed on as `sources`."""
    file = click.Path(path_type=Path, dir_okay=False)
    folder = click.Path(path_type=Path, file_okay=False)

    @click.option("--bundle", type=folder, help="Answer from this recorded incident alone.")
    @click.option("--prometheus", metavar="URL", help="Ask this server for metrics.")
    @click.option("--inventory", type=file, help="Names that exist (JSON or YAML).")
    @click.option("--repo", type=folder, help="Git repository to compare configuration in.")
    @click.option("--metrics", type=file, help="Your own metric catalogue, asked first.")
    @click.option("--narrate", is_flag=True, help="Let the language model tell it again, marked.")
    @functools.wraps(command)
    def with_sources(
        *,
        bundle: Path | None,
        prometheus: str | None,
        inventory: Path | None,
        repo: Path | None,
        metrics: Path | None,
        narrate: bool,
        **rest: object,
    ) -> None:
        from opsmith.wiring.ask import AskSources

        sources = AskSources(
            bundle=bundle,
            prometheus=prometheus,
            inventory=inventory,
            repo=repo,
            catalogue=metrics,
            narrate=narrate,
            columns=min(WIDEST, shutil.get_terminal_size((80, 24)).columns),
        )
        command(sources=sources, **rest)

    return with_sources
