"""`opsmith model`: which language model is asked, what there is to choose from, a trial."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opsmith.cli.options import output_option

if TYPE_CHECKING:
    from opsmith.wiring.model_choice import Choice


@click.group()
def model() -> None:
    """Look after the language model; opsmith works without one."""


@model.command("list")
@output_option
def listing(output: str) -> None:
    """Show which model is asked and what else its server or the data folder has."""
    from opsmith.settings import load
    from opsmith.wiring.models import listed

    found = asyncio.run(listed(load()))
    chosen = found.chosen
    if output == "json":
        said = {
            "chosen": None if chosen is None else {**asdict(chosen), "kind": chosen.kind},
            "models": found.names,
            "files": [str(path) for path in found.files],
            "fault": found.fault,
        }
        click.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    if chosen is None:
        click.echo("No language model is set: see `opsmith model use --help`.")
    else:
        told = f" with the adapter {chosen.adapter}" if chosen.adapter else ""
        click.echo(f"{chosen.url} ({chosen.kind}){told}")
    for place, name in enumerate(found.names):
        click.echo(f"{'*' if place == 0 else ' '} {_plain(name)}")
    for path in found.files:
        click.echo(f"  {path}")
    if found.fault:
        click.echo(found.fault, err=True)


@model.command()
@click.argument("url", default="")
@click.option("--model", "name", default="", help="Its name there, where there are several.")
@click.option(
    "--adapter", default="", help="A LoRA adapter (GGUF) for a GGUF file; none for none."
)
@output_option
def use(url: str, name: str, adapter: str, output: str) -> None:
    """Ask the model at URL from now on.

    URL is ollama://HOST:PORT for Ollama, http://HOST:PORT/v1 for any server that speaks
    OpenAI's chat completions, or the path of a GGUF file for llama.cpp on this machine.
    OPSMITH_LLM_URL beats what is chosen here.

    With --adapter alone the model stays and gets this adapter, which is loaded and tried first;
    it is a path or a name of `opsmith model adapters`. Processes that serve take a choice up
    within half a second and the time that it takes to load, without losing a prompt.
    """
    from opsmith.settings import load
    from opsmith.wiring.models import use as choose

    if not url and not adapter:
        raise click.UsageError("Give the URL of a model, or --adapter.")
    _tell(asyncio.run(choose(load(), url, name, adapter)), output)


@model.command()
@output_option
def rollback(output: str) -> None:
    """Go back to the model, or adapter, that was chosen before."""
    from opsmith.settings import load
    from opsmith.wiring.model_choice import back

    _tell(back(load()), output)


@model.command()
@output_option
def adapters(output: str) -> None:
    """List the LoRA adapters for the chosen GGUF file; the one in use is marked."""
    from opsmith.settings import load
    from opsmith.wiring.models import model_adapters

    found = model_adapters(load())
    if output == "json":
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        mark = "*" if one.active else " "
        told = f"cannot serve: {one.fault}" if one.fault else f"{one.size_bytes / 1e6:.1f} MB"
        click.echo(f"{mark} {one.name:<20} {told}")
    if not found:
        click.echo("There are no adapters: `opsmith model use --adapter FILE.gguf` takes one.")


@model.command()
@output_option
def check(output: str) -> None:
    """Send one prompt with a schema and say what came.

    Exit codes: 0 it answered as it must, 3 it did not.
    """
    from opsmith.settings import load
    from opsmith.wiring.llm import tried

    found = asyncio.run(tried(load()))
    if output == "json":
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    click.echo(f"{_plain(found.model)} answers {_plain(found.text)}")
    click.echo(
        f"{found.prompt_tokens} tokens in, {found.answer_tokens} out;"
        f" first word after {found.first_s:.2f} s, all after {found.total_s:.2f} s."
    )
    click.echo("The answer fits the schema that was asked for.")


def _tell(chosen: Choice, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({**asdict(chosen), "kind": chosen.kind}))
        return
    told = f" with the adapter {Path(chosen.adapter).stem}" if chosen.adapter else ""
    click.echo(
        f"{chosen.url} ({chosen.kind}){told} is asked from now on; try `opsmith model check`."
    )


def _plain(text: str) -> str:
    """A model's words without what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text)
