"""Report: the answer in its four forms, a pure function of the Diagnosis and its Recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from opsmith.explain.answer import answer
from opsmith.explain.bonds import bonds
from opsmith.explain.story import Story
from opsmith.explain.tell import tell
from opsmith.explain.terminal import terminal
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.graph import Subgraph
from opsmith.nouns.recording import Recording
from opsmith.nouns.report import Report


def explain(
    diagnosis: Diagnosis,
    recording: Recording,
    *,
    top: int,
    seen_before: tuple[str, ...] = (),
    graph: Callable[[], Subgraph] = Subgraph,
) -> Report:
    """Write the report. top: how many of the likeliest causes it shows, at least 1.

    seen_before: confirmed incidents like this one, a sentence each.
    graph: gives the incident's signals with their weighed links, once a form needs them.
    No clock is read: the same inputs give the same bytes.
    """

    @cache
    def story() -> Story:
        return tell(diagnosis, recording, top=top, seen_before=seen_before)

    @cache
    def whole() -> Story:
        return replace(story(), bonds=bonds(graph()))

    return Report(
        write_text=lambda: terminal(story()),
        write_markdown=lambda: _markdown(whole()),
        write_html=lambda: _html(whole()),
        write_json=lambda: answer(diagnosis, top=top, seen_before=seen_before),
    )


def _markdown(story: Story) -> str:
    from opsmith.explain.markdown import markdown  # noqa: PLC0415 - see `_html`

    return markdown(story)


def _html(story: Story) -> str:
    # Templates take longer to load than an answer in the terminal takes to write.
    from opsmith.explain.html import html  # noqa: PLC0415 - see above

    return html(story)
