"""Replies as JSON and as text for a terminal."""

from __future__ import annotations

from datetime import datetime

from opsmith.answer.plan_shapes import plan_shape
from opsmith.answer.words import Speech
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Figure, Reply
from opsmith.nouns.task import Clarify, Refused, Task

MARKS = {
    AnswerStatus.ANSWERED: "",
    AnswerStatus.PLAN: "◆ ",
    AnswerStatus.DENIED: "✗ ",
    AnswerStatus.SKIPPED: "– ",
    AnswerStatus.UNKNOWN: "? ",
    AnswerStatus.FAILED: "✗ ",
}


def outcome(reply: Reply) -> str:
    """One word for the whole: refuse, clarify, plan, denied, failed, unknown or answered."""
    if isinstance(reply.reading, Refused):
        return "refuse"
    if isinstance(reply.reading, Clarify):
        return "clarify"
    found = {one.status for one in reply.answers}
    for status in (AnswerStatus.PLAN, AnswerStatus.DENIED, AnswerStatus.FAILED):
        if status in found:
            return str(status)
    nothing = AnswerStatus.UNKNOWN in found and AnswerStatus.ANSWERED not in found
    return "unknown" if nothing else "answered"


def as_json(reply: Reply) -> dict[str, object]:
    """A reply as plain JSON values."""
    found: dict[str, object] = {
        "outcome": outcome(reply),
        "language": str(reply.language),
        "answers": [answer_json(one) for one in reply.answers],
    }
    if isinstance(reply.reading, Clarify):
        found |= {
            "question": reply.said,
            "missing": list(reply.reading.missing),
            "tasks": [task_json(one) for one in reply.reading.tasks],
        }
    if isinstance(reply.reading, Refused):
        found |= {"reason": reply.said, "kind": str(reply.reading.kind)}
    return found


def answer_json(answer: Answer) -> dict[str, object]:
    """One answer as plain JSON values."""
    return {
        "task": task_json(answer.task),
        "status": str(answer.status),
        "finding": str(answer.finding) if answer.finding else None,
        "said": list(answer.said),
        "detail": answer.detail,
        "figures": [_figure(one) for one in answer.figures],
        "evidence": [_evidence(one) for one in answer.evidence],
        "narration": answer.narration or None,
        "plan": plan_shape(answer.plan) if answer.plan else None,
    }


def task_json(task: Task) -> dict[str, object]:
    """A task as plain JSON values."""
    slots = {k: list(v) if isinstance(v, tuple) else v for k, v in task.slots.items()}
    return {
        "intent": task.intent,
        "slots": slots,
        "depends_on": list(task.depends_on),
        "risk": str(task.risk),
    }


def as_text(reply: Reply, *, zone: str = "UTC") -> str:
    """A reply for a person at a terminal."""
    speech = Speech(language=reply.language, zone=zone)
    if isinstance(reply.reading, Refused):
        return f"{speech.say('words.refused')}: {reply.said}"
    if isinstance(reply.reading, Clarify):
        return f"{speech.say('words.question')}: {reply.said}"
    return "\n\n".join(answer_text(one, speech) for one in reply.answers)


def answer_text(answer: Answer, speech: Speech) -> str:
    """One answer: its sentences, its plot or table, where it comes from."""
    mark = MARKS[answer.status]
    lines = [f"{mark}{said}" if n == 0 else said for n, said in enumerate(answer.said)]
    if answer.detail:
        lines += ["", answer.detail]
    if answer.narration:
        lines += ["", f"[{speech.say('words.narrated')}] {answer.narration}"]
    if answer.evidence:
        lines += ["", *_sources(answer.evidence, speech)]
    return "\n".join(lines)


def _sources(evidence: tuple[Evidence, ...], speech: Speech) -> list[str]:
    """Where an answer comes from: each source and time once, below it what it was asked."""
    lines: list[str] = []
    before = ""
    for one in evidence:
        place = one.source
        if one.start is not None and one.end is not None:
            start, end = (speech.time(at, day=True) for at in (one.start, one.end))
            place += f", {start} – {end}"
        if place != before:
            lines.append(f"  {speech.say('words.evidence')}: {place}")
        before = place
        names = ", ".join(name for name in one.names if name)
        count = speech.say("words.found", count=one.count)
        lines.append(f"    {one.query}  [{count}{': ' if names else ''}{names}]")
    return lines


def _figure(one: Figure) -> dict[str, object]:
    return {"name": one.name, "value": one.value, "unit": one.unit, "at": _iso(one.at)}


def _evidence(one: Evidence) -> dict[str, object]:
    return {
        "source": one.source,
        "query": one.query,
        "start": _iso(one.start),
        "end": _iso(one.end),
        "count": one.count,
        "names": list(one.names),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
