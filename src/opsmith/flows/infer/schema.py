"""Schemas of strangers: checked before a model is asked, and the answer against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError

from opsmith.errors import BadInput
from opsmith.nouns.redaction import redact
from opsmith.parse.regex_bounds import fault_of

LARGEST_SCHEMA = 16_000
DEEPEST = 20
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id"})
_PATTERNS = frozenset({"pattern", "patternProperties"})
_FENCE = "```"


def check_schema(text: str) -> None:
    """Accept a JSON Schema (Draft 7 or 2020-12) or raise `BadInput` with what is wrong."""
    if len(text) > LARGEST_SCHEMA:
        raise BadInput(f"The schema is longer than {LARGEST_SCHEMA} characters.")
    if redact(text) != text:
        raise BadInput("The schema holds what looks like a secret; it is not sent.")
    schema = _read(text)
    if not isinstance(schema, dict):
        raise BadInput("The schema is no JSON object.")
    for fault in _faults(schema, depth=0, named=False):
        raise BadInput(f"The schema cannot be used: {fault}.")
    try:
        _kind(schema).check_schema(schema)
    except SchemaError as error:
        raise BadInput(f"The schema is none: {error.message[:200]}.") from error


def value_of(text: str) -> str:
    """The JSON in an answer: models like to put it in a code fence."""
    bare = text.strip()
    if bare.startswith(_FENCE) and bare.endswith(_FENCE):
        bare = bare.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json").strip()
    return bare


def fault_in(text: str, schema: str) -> str:
    """Why an answer does not fit its schema, in one line; empty when it does."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    first = min(
        _validator(schema).iter_errors(value), key=lambda error: len(error.path), default=None
    )
    if first is None:
        return ""
    place = "/".join(map(str, first.path)) or "the whole"
    return f"{place[:100]}: {first.message[:200]}"


def _read(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("The schema is no JSON.") from error
    return found


def _faults(value: object, *, depth: int, named: bool) -> Iterator[str]:
    """What a schema must not hold. named: the keys of `value` are names of properties."""
    if depth > DEEPEST:
        yield f"it is nested deeper than {DEEPEST}"
    elif isinstance(value, list):
        for item in value:
            yield from _faults(item, depth=depth + 1, named=False)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not named:
                yield from _keyword(key, item)
            names = not named and key in {"properties", "patternProperties", "$defs"}
            yield from _faults(item, depth=depth + 1, named=names)


def _keyword(key: str, item: object) -> Iterator[str]:
    if key in _REFERENCES and not (isinstance(item, str) and item.startswith("#/")):
        yield f"{key} leads out of it"
    patterns = [item] if key == "pattern" else item if key == "patternProperties" else ()
    for pattern in patterns if isinstance(patterns, list | dict) else ():
        fault = fault_of(pattern) if isinstance(pattern, str) else "it is no text"
        if fault:
            yield f"a pattern is refused, {fault}"


def _kind(schema: dict[str, object]) -> type[Draft7Validator | Draft202012Validator]:
    draft_7 = "draft-07" in str(schema.get("$schema", ""))
    return Draft7Validator if draft_7 else Draft202012Validator


@lru_cache(maxsize=256)
def _validator(text: str) -> Draft7Validator | Draft202012Validator:
    schema = json.loads(text)
    return _kind(schema)(schema)
