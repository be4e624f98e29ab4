"""Checking task schemas: the template itself, then every instance of it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from opsmith.errors import BadInput
from opsmith.nouns.task import Risk, SlotValue
from opsmith.parse.regex_bounds import fault_of
from opsmith.parse.schema import TaskSchema
from opsmith.parse.yaml_places import Path, Place, Places, YamlFault, read_yaml

# Longer strings are refused before any pattern sees them.
LONGEST_STRING = 1_000
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a schema file; line and column count from 1."""

    line: int
    column: int
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" {self.suggestion}" if self.suggestion else ""
        return f"{self.line}:{self.column}: {self.message}{hint}"


def checked_schema(text: str, *, name: str) -> TaskSchema:
    """Read one schema file. Raises `BadInput` with every problem, each with its place."""
    problems = problems_in(text)
    if problems:
        listed = "\n".join(f"  {name}:{problem}" for problem in problems)
        raise BadInput(f"The task schema {name} cannot be used:\n{listed}")
    data, _ = read_yaml(text)
    return _schema_of(_mapping(data))


def problems_in(text: str) -> list[Problem]:
    """Everything wrong with the text of a schema file, by place; empty when it is good."""
    try:
        data, places = read_yaml(text)
    except YamlFault as fault:
        return [Problem(line=fault.line, column=fault.column, message=str(fault))]
    found = [_problem(error, places) for error in _template().iter_errors(data)]
    if not found:
        found = list(_deeper(_mapping(data), places))
    return sorted(found, key=lambda problem: (problem.line, problem.column, problem.message))


def faults_of(schema: TaskSchema, slots: Mapping[str, SlotValue]) -> dict[str, str]:
    """What is wrong with the slots of one task: slot -> message; `""` for the whole.

    Every task passes here after it was read, whoever read it.
    """
    instance = {
        name: list(value) if isinstance(value, tuple) else value for name, value in slots.items()
    }
    long = [name for name, value in slots.items() if len(str(value)) > LONGEST_STRING]
    if long:
        return dict.fromkeys(long, f"it is longer than {LONGEST_STRING} characters")
    errors = _validator(json.dumps(schema.inputs, sort_keys=True)).iter_errors(instance)
    return {str(error.path[0]) if error.path else "": error.message for error in errors}


def flat_schema(schema: TaskSchema) -> dict[str, object]:
    """A small JSON Schema to constrain a model with: types and enums, no conditions.

    A grammar made of the full schema can be refused or ignored by a backend; what the model
    answers is checked with `faults_of` afterwards.
    """
    properties: dict[str, object] = {}
    listed = _mapping(schema.inputs.get("properties"))
    for slot in schema.slots:
        inputs = _mapping(listed.get(slot))
        kept = {key: inputs[key] for key in ("type", "enum") if key in inputs}
        properties[slot] = kept or {"type": "string"}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _deeper(data: Mapping[str, object], places: Places) -> Iterator[Problem]:
    """What the template cannot say: references, patterns, and slots that do not exist."""
    inputs = _mapping(data["inputs"])
    yield from _walk(inputs, ("inputs",), places)
    version = "2020-12" if "2020-12" in str(data.get("$schema", "")) else "draft-07"
    kind = Draft202012Validator if version == "2020-12" else Draft7Validator
    try:
        kind.check_schema(inputs)
    except SchemaError as error:
        yield _problem(error, places, prefix=("inputs",))
    known = _mapping(inputs["properties"])
    needs = data["required"]
    for index, need in enumerate(needs if isinstance(needs, list) else []):
        for slot in str(need).split("|"):
            if slot not in known:
                place = places.of(("required", index))
                yield Problem(
                    line=place.line,
                    column=place.column,
                    message=f"{slot!r} is required but not among the inputs.",
                    suggestion=_near(slot, known),
                )


def _walk(value: object, path: Path, places: Places) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index), places)
    for key, item in _mapping(value).items():
        here = (*path, key)
        place = places.of(here)
        for message in _refused(key, item):
            yield Problem(line=place.line, column=place.column, message=message)
        if key not in {"enum", "const", "default", "examples"}:
            yield from _walk(item, here, places)


def _refused(key: str, item: object) -> Iterator[str]:
    if key in _REFERENCES and isinstance(item, str) and not item.startswith("#/"):
        yield f"{key} {item[:60]!r} points outside this file; write the schema out here."
    sources = [item] if key == "pattern" else _mapping(item) if key == "patternProperties" else []
    for source in sources:
        if fault := fault_of(str(source)):
            yield f"The pattern {str(source)[:60]!r} is refused: {fault}."


def _problem(
    error: ValidationError | SchemaError, places: Places, *, prefix: tuple[str, ...] = ()
) -> Problem:
    path = (*prefix, *error.absolute_path)
    place: Place = places.of(path)
    suggestion = ""
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(_mapping(_mapping(error.schema).get("properties")))
        strange = next((str(key) for key in error.instance if str(key) not in known), "")
        place, suggestion = places.of((*path, strange)), _near(strange, known)
    elif error.validator == "enum" and isinstance(error.validator_value, list):
        suggestion = _near(str(error.instance), [str(value) for value in error.validator_value])
    elif error.validator == "required":
        suggestion = "Add the missing key."
    return Problem(
        line=place.line,
        column=place.column,
        message=f"{'.'.join(map(str, path)) or 'the file'}: {error.message[:200]}.",
        suggestion=suggestion,
    )


def _near(word: str, known: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(list(known)[:12])}."


def _schema_of(data: Mapping[str, object]) -> TaskSchema:
    inputs = _mapping(data["inputs"])
    needs, examples = data["required"], data.get("examples", [])
    return TaskSchema(
        task_id=str(data["task_id"]),
        version=int(str(data["version"])),
        title=str(data["title"]),
        intent=str(data["intent"]),
        risk=Risk(str(data["risk"])),
        required=tuple(tuple(str(need).split("|")) for need in _items(needs)),
        slots=tuple(_mapping(inputs["properties"])),
        output_format=str(data["expected_output_format"]),
        inputs=inputs,
        examples=tuple(str(example) for example in _items(examples)),
    )


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


@cache
def _template() -> Draft7Validator:
    text = (files("opsmith.parse") / "template.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(text))


@cache
def _validator(inputs: str) -> Draft7Validator:
    return Draft7Validator(json.loads(inputs))


__all__ = ["Problem", "checked_schema", "faults_of", "flat_schema", "problems_in"]
