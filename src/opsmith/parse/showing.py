"""A reading as JSON and as text for a person."""

from __future__ import annotations

from opsmith.nouns.task import Clarify, Reading, Refused, Task


def as_json(reading: Reading) -> dict[str, object]:
    """The reading as plain JSON values.

    Keys: outcome (execute, clarify, refuse), tasks, missing, question, risk, zone, kind, reason,
    decisions; those that do not apply are left out.
    """
    decisions = [{"by": str(one.by), "why": one.why} for one in reading.decisions]
    if isinstance(reading, Refused):
        return {
            "outcome": "refuse",
            "kind": str(reading.kind),
            "reason": reading.reason,
            "tasks": [],
            "decisions": decisions,
        }
    found: dict[str, object] = {
        "outcome": "clarify" if isinstance(reading, Clarify) else "execute",
        "tasks": [_task(task) for task in reading.tasks],
        "risk": str(reading.risk),
        "zone": reading.zone,
        "decisions": decisions,
    }
    if isinstance(reading, Clarify):
        found |= {"missing": list(reading.missing), "question": reading.question}
    return found


def as_text(reading: Reading) -> str:
    """The reading in a few lines."""
    if isinstance(reading, Refused):
        return f"refused ({reading.kind}): {reading.reason}"
    lines = [_line(place, task) for place, task in enumerate(reading.tasks)]
    if isinstance(reading, Clarify):
        lines.append(f"question: {reading.question} (missing: {', '.join(reading.missing)})")
    lines += [f"decided by {one.by}: {one.why}" for one in reading.decisions]
    return "\n".join(lines)


def _task(task: Task) -> dict[str, object]:
    slots = {k: list(v) if isinstance(v, tuple) else v for k, v in task.slots.items()}
    return {
        "intent": task.intent,
        "slots": slots,
        "depends_on": list(task.depends_on),
        "risk": str(task.risk),
    }


def _line(place: int, task: Task) -> str:
    slots = ", ".join(
        f"{name}={'+'.join(value) if isinstance(value, tuple) else value}"
        for name, value in task.slots.items()
    )
    after = (
        f" after {', '.join(str(one + 1) for one in task.depends_on)}" if task.depends_on else ""
    )
    return f"{place + 1}. {task.intent} [{task.risk}] {slots}{after}"
