"""`opsmith ask`: a sentence, or a conversation -> answers with their evidence, or a plan."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from opsmith.cli.asking import asking_options
from opsmith.cli.options import output_option

if TYPE_CHECKING:
    from opsmith.wiring.ask import AskSources

LONGEST_STDIN = 1_000_000
TIMEOUT_S = 60.0


@click.command()
@click.argument("sentence", required=False)
@output_option
@asking_options
@click.option("-c", "--continue", "last", is_flag=True, help="Go on with your last session.")
@click.option("--session", default="", metavar="NAME", help="Go on with this session.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds.",
)
def ask(
    sentence: str | None,
    output: str,
    sources: AskSources,
    last: bool,  # noqa: FBT001 - click hands flags on like that
    session: str,
    timeout: float,
) -> None:
    """Answer SENTENCE, in English or Chinese; without one, talk.

    What only looks is answered at once; what would change something is shown as a plan and ends
    with 4, as a refusal does. A question back ends with 2, no answer with 1.
    """
    from opsmith.cli.talk import Talk

    talk = Talk(json_wanted=output == "json", sources=sources, timeout_s=timeout)
    talk.session, talk.last = session, last
    if sentence is None and not sys.stdin.isatty():
        sentence = sys.stdin.buffer.read(LONGEST_STDIN).decode("utf-8", "replace")
    code = asyncio.run(talk.once(sentence) if sentence is not None else talk.on_and_on())
    click.get_current_context().exit(code)
