"""An exported ledger: JSON lines, a first one that says what it is, records, then seals."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opsmith.audit.seals import from_line, to_line
from opsmith.errors import BadInput
from opsmith.nouns.record import Checkpoint, Entry, Record, from_ms
from opsmith.nouns.seal import Seal

FORM = "opsmith-ledger/1"
_PEM_BEGIN = "-----BEGIN PUBLIC KEY-----"
_PEM_END = "-----END PUBLIC KEY-----"
_PEM_WIDTH = 64  # RFC 7468, section 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file holds. start: where its chain starts."""

    start: Checkpoint
    records: Sequence[Record]
    seals: Sequence[Seal]


def first_line(start: Checkpoint) -> str:
    """What the file is, and behind which place its records follow."""
    return json.dumps({"form": FORM, "after": start.seq, "digest": start.digest.hex()}) + "\n"


def record_line(one: Record) -> str:
    """One record; all that its seal covers."""
    entry = one.entry
    told = {
        "seq": one.seq,
        "at_ms": entry.at_ms,
        "kind": entry.kind,
        "subject": entry.subject,
        "principal": entry.principal,
        "tenant": entry.tenant,
        "body": entry.body,
        "previous": one.previous.hex(),
        "digest": one.digest.hex(),
    }
    return json.dumps(told, ensure_ascii=False) + "\n"


def seal_line(seal: Seal) -> str:
    """One seal."""
    return json.dumps({"seal": json.loads(to_line(seal))}) + "\n"


def read_export(path: Path) -> Exported:
    """A whole file. Raises `BadInput` that names the line."""
    lines = _lines(path)
    head = next(lines, {})
    if head.get("form") != FORM:
        raise BadInput(f"{path.name!r} is no exported ledger: its first line says no {FORM}.")
    records: list[Record] = []
    seals: list[Seal] = []
    for number, line in enumerate(lines, start=2):
        try:
            if "seal" in line:
                seals.append(from_line(json.dumps(line["seal"])))
            else:
                records.append(_record(line))
        except (KeyError, ValueError, TypeError) as error:
            raise BadInput(f"{path.name!r}, line {number}: this is no record.") from error
    try:
        start = Checkpoint(seq=int(str(head["after"])), digest=bytes.fromhex(str(head["digest"])))
    except (KeyError, ValueError) as error:
        raise BadInput(f"{path.name!r}, line 1: this is no start.") from error
    return Exported(start=start, records=records, seals=seals)


def to_pem(public: bytes) -> str:
    """A public key in DER, as PEM (RFC 7468)."""
    text = base64.b64encode(public).decode()
    body = "\n".join(text[n : n + _PEM_WIDTH] for n in range(0, len(text), _PEM_WIDTH))
    return f"{_PEM_BEGIN}\n{body}\n{_PEM_END}\n"


def from_pem(path: Path) -> bytes:
    """A public key in PEM, as DER. Raises `BadInput`."""
    try:
        lines = path.read_text(encoding="ascii").strip().splitlines()
        if lines[:1] != [_PEM_BEGIN] or lines[-1] != _PEM_END:
            raise BadInput(f"{path.name!r} is no public key in PEM.")
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except (OSError, UnicodeDecodeError, binascii.Error) as error:
        raise BadInput(f"{path.name!r} is no public key in PEM.") from error


def _record(line: Mapping[str, object]) -> Record:
    entry = Entry(
        kind=str(line["kind"]),
        subject=str(line["subject"]),
        body=str(line["body"]),
        at=from_ms(int(str(line["at_ms"]))),
        principal=str(line["principal"]),
        tenant=str(line["tenant"]),
    )
    return Record(
        seq=int(str(line["seq"])),
        entry=entry,
        previous=bytes.fromhex(str(line["previous"])),
        digest=bytes.fromhex(str(line["digest"])),
    )


def _lines(path: Path) -> Iterator[Mapping[str, object]]:
    try:
        with path.open(encoding="utf-8") as opened:
            for number, text in enumerate(opened, start=1):
                line = _parsed(text)
                if not isinstance(line, dict):
                    raise BadInput(f"{path.name!r}, line {number}: this is no record.")
                yield line
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name!r} cannot be read: {error}.") from error


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
