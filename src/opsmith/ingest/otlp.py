"""OTLP/JSON: what traces and logs have in common; each line is one export request.

Source: OpenTelemetry protocol 1.x, "JSON Protobuf Encoding": 64-bit integers are strings (numbers
are taken too), ids are hex, enumerations are numbers (names are taken too), attributes are arrays
of key and value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from opsmith.ingest.files import lines
from opsmith.ingest.json_door import fields, items, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity, EntityKind

LONGEST_VALUE = 256
_DEEPEST_VALUE = 4
_WIDEST_VALUE = 32
_OWNERS = (
    ("service.name", EntityKind.SERVICE),
    ("k8s.deployment.name", EntityKind.SERVICE),
    ("k8s.statefulset.name", EntityKind.SERVICE),
    ("k8s.container.name", EntityKind.SERVICE),
    ("k8s.pod.name", EntityKind.INSTANCE),
    ("container.name", EntityKind.SERVICE),
    ("host.name", EntityKind.HOST),
)


def requests(path: Path, part: str, losses: Losses) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Each line's export request with its line number; a line that is no object is noted."""
    for number, line in lines(path, part, losses):
        if not line.strip():
            continue
        try:
            request: object = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            losses.line(part, path.name, number, f"not JSON ({error.msg}); the line is dropped.")
            continue
        if isinstance(request, dict):
            yield number, request
        else:
            losses.line(part, path.name, number, "not a JSON object; the line is dropped.")


def attributes(value: object) -> dict[str, str]:
    """An array of keys and values as text by key; long values are cut."""
    found: dict[str, str] = {}
    for member in items(value):
        if isinstance(member, dict):
            key, told = member.get("key"), member.get("value")
            if isinstance(key, str) and key:
                # Nine attributes in ten are plain strings; they need no walk.
                simple = told.get("stringValue") if isinstance(told, dict) else None
                found[key] = simple[:LONGEST_VALUE] if isinstance(simple, str) else plain(told)
    return found


def digest(value: object) -> bytes | None:
    """Equal only for equal JSON, so that what repeats is looked into once.

    Members in another order give another digest; what nests too deep for it gives None.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return None


def plain(value: object, *, longest: int = LONGEST_VALUE, depth: int = 0) -> str:
    """An `AnyValue` as text.

    >>> plain({"arrayValue": {"values": [{"intValue": "7"}, {"boolValue": True}]}})
    '7, true'
    """
    for kind, inner in fields(value).items():
        if isinstance(inner, str):
            return inner[:longest]
        if isinstance(inner, bool):
            return "true" if inner else "false"
        if kind == "arrayValue" and depth < _DEEPEST_VALUE:
            members = items(fields(inner).get("values"))[:_WIDEST_VALUE]
            return ", ".join(plain(one, depth=depth + 1) for one in members)[:longest]
        if kind == "kvlistValue" and depth < _DEEPEST_VALUE:
            named = (fields(one) for one in items(fields(inner).get("values"))[:_WIDEST_VALUE])
            told = (
                f"{one.get('key')}={plain(one.get('value'), depth=depth + 1)}" for one in named
            )
            return ", ".join(told)[:longest]
        return str(inner) if isinstance(inner, int | float) else ""
    return ""


def owner(resource: Mapping[str, str], naming: Naming) -> tuple[Entity, Entity | None] | None:
    """Who sent this telemetry, and its instance where the resource names one."""
    for key, kind in _OWNERS:
        entity = naming.entity(kind, resource.get(key, ""))
        if entity is not None:
            instance = resource.get("service.instance.id") or resource.get("k8s.pod.name") or ""
            named = naming.entity(EntityKind.INSTANCE, instance)
            return entity, (named if entity.kind is EntityKind.SERVICE else None)
    return None


def integer(value: object) -> int | None:
    """A 64-bit integer, written as a string or a number; None when it is none."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if abs(value) < 2**63 else None
    try:
        return int(text(value))
    except ValueError:
        return None
