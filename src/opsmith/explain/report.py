"""Report: the answer in its four forms, a pure function of the Diagnosis and its Recording."""

from __future__ import annotations

from opsmith.explain.answer import answer
from opsmith.explain.html import html
from opsmith.explain.markdown import markdown
from opsmith.explain.tell import tell
from opsmith.explain.terminal import terminal
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.recording import Recording
from opsmith.nouns.report import Report


def explain(diagnosis: Diagnosis, recording: Recording, *, top: int) -> Report:
    """Write the report. top: how many of the likeliest causes it shows, at least 1.

    No clock is read: the same inputs give the same bytes.
    """
    story = tell(diagnosis, recording, top=top)
    return Report(
        text=terminal(story),
        markdown=markdown(story),
        html=html(story),
        json=answer(diagnosis, top=top),
    )
