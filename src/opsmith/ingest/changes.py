"""Changes: `changes.jsonl`, one JSON object a line."""

from __future__ import annotations

from pathlib import Path

import orjson

from opsmith.errors import BadInput
from opsmith.ingest.files import lines
from opsmith.ingest.json_door import fields, instant, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.redaction import redact
from opsmith.nouns.signals import Change, ChangeKind

_KINDS = frozenset(map(str, ChangeKind))
_LONGEST_SUMMARY = 400


def read(path: Path, naming: Naming, losses: Losses) -> tuple[Change, ...]:
    """All changes of a file (or its `.gz`), oldest first; lines that cannot be read are noted."""
    found = []
    for number, line in lines(path, "changes", losses):
        if not line.strip():
            continue
        change = _change(line, naming)
        if isinstance(change, Change):
            found.append(change)
        else:
            losses.line("changes", path.name, number, change)
    return tuple(sorted(found, key=lambda change: (change.at, change.entity)))


def from_webhook(body: bytes) -> Change:
    """One change as a webhook tells it, in the form of a line of `changes.jsonl`.

    Raises `BadInput` when it is not of that form.
    """
    change = _change(body, Naming())
    if isinstance(change, Change):
        return change
    what = change.removesuffix(" the line is dropped.").removesuffix(";")
    raise BadInput(f"The change was not taken: {what}.")


def _change(line: bytes, naming: Naming) -> Change | str:
    """The change of a line, or what is wrong with it."""
    try:
        told = fields(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error.msg}); the line is dropped."
    at = instant(told.get("at"))
    entity = naming.parse(text(told.get("entity")))
    kind = told.get("kind", str(ChangeKind.OTHER))
    if at is None:
        return '"at" is not an RFC 3339 time with an offset; the line is dropped.'
    if entity is None:
        return '"entity" is not TYPE:NAME; the line is dropped.'
    return Change(
        at=at,
        entity=entity,
        kind=ChangeKind(kind) if isinstance(kind, str) and kind in _KINDS else ChangeKind.OTHER,
        summary=redact(text(told.get("summary"))[:_LONGEST_SUMMARY]),
        version=text(told.get("version"))[:200] or None,
    )
