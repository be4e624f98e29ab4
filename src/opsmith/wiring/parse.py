"""Reading sentences: inventory, schemas and earlier turns from files, joined to the parse room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.task import Reading, SlotValue, Task
from opsmith.parse.catalogue import Catalogue
from opsmith.parse.dialogue import State
from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.parse.schema import TaskSchema
from opsmith.parse.schema_check import Problem, faults_of, problems_in
from opsmith.parse.schema_folder import SchemaFolder
from opsmith.parse.showing import as_json, as_text
from opsmith.parse.yaml_places import LARGEST_FILE
from opsmith.seams.intent import Intents


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where what a sentence is read against stands.

    inventory: a file of names, None for none.
    context: a file of earlier turns, None for none.
    schemas: a folder of task schemas, None for the built-in ones.
    zone: the zone of clock times that state none.
    intents: gives second opinions where rules decide nothing, None for rules alone.
    """

    inventory: Path | None = None
    context: Path | None = None
    schemas: Path | None = None
    zone: str = "UTC"
    intents: Intents | None = None


def read_sentence(text: str, sources: Sources) -> Reading:
    """Read one sentence. Raises `BadInput` for a file that cannot be used."""
    catalogue = load_catalogue(sources.inventory) if sources.inventory else Catalogue()
    schemas = {one.intent: one for one in task_schemas(sources.schemas)}
    reader = SentenceReader(catalogue, schemas, zone=sources.zone, intents=sources.intents)
    state = State()
    for role, said in _turns(sources.context) if sources.context else []:
        state = state.heard(said) if role == "assistant" else reader.read(said, state)[1]
    return reader.read(text, state)[0]


def is_task(name: str) -> bool:
    """Whether a shipped task schema is called so."""
    return name in builtin_schemas()


def typed_task(name: str, words: list[str]) -> Task:
    """A task from `SLOT=VALUE` words; commas part several values of one slot.

    Raises `BadInput` for a slot or a value that the task's schema has no place for.
    """
    schema = builtin_schemas()[name]
    properties = schema.inputs.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    slots: dict[str, SlotValue] = {}
    for word in words:
        slot, equals, text = word.partition("=")
        if not equals or slot not in known or slot in slots:
            raise BadInput(
                f"{word[:60]!r} is not SLOT=VALUE of {name}.", hint=f"It takes {', '.join(known)}."
            )
        slots[slot] = _slot(text, known[slot])
    faults = [*schema.missing(slots), *faults_of(schema, slots)]
    if faults:
        raise BadInput(f"{name} lacks a right {', '.join(dict.fromkeys(faults))}.")
    return Task(intent=schema.intent, slots=slots, risk=schema.risk)


def _slot(text: str, shape: Mapping[str, object]) -> SlotValue:
    match shape.get("type"):
        case "integer" if text.lstrip("-").isdigit():
            return int(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case None if "oneOf" in shape and "," in text:
            return tuple(text.split(","))
        case _:
            return text


def reading_as_json(reading: Reading) -> dict[str, object]:
    """A reading as plain JSON values."""
    return as_json(reading)


def reading_as_text(reading: Reading) -> str:
    """A reading in a few lines."""
    return as_text(reading)


def schema_problems(path: Path) -> list[Problem]:
    """What is wrong with a task schema file. Raises `BadInput` when it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name!r} cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST_FILE:
        return [Problem(line=1, column=1, message=f"The file has more than {LARGEST_FILE} bytes.")]
    try:
        return problems_in(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return [Problem(line=line, column=column, message="This is not UTF-8 text.")]


def task_schemas(folder: Path | None) -> list[TaskSchema]:
    """The schemas in use, by id. Raises `BadInput` when one of the folder is bad."""
    if folder is None:
        return sorted(builtin_schemas().values(), key=lambda one: one.task_id)
    own = SchemaFolder(folder, builtin_schemas())
    problems = own.reload().problems
    if problems:
        raise BadInput("\n".join(problems))
    return sorted(own.schemas.values(), key=lambda one: one.task_id)


def task_schema(task_id: str, folder: Path | None) -> TaskSchema:
    """One schema by its id. Raises `NotFound`."""
    found = task_schemas(folder)
    for one in found:
        if one.task_id == task_id:
            return one
    raise NotFound(f"There is no task {task_id!r}: {', '.join(one.task_id for one in found)}.")


def _turns(path: Path) -> list[tuple[str, str]]:
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"The context {path.name!r} is no JSON that can be read.") from error
    turns: list[tuple[str, str]] = []
    for turn in data if isinstance(data, list) else [None]:
        role = turn.get("role") if isinstance(turn, dict) else None
        said = turn.get("text") if isinstance(turn, dict) else None
        if role not in {"user", "assistant"} or not isinstance(said, str):
            raise BadInput('A context is a JSON list of {"role": "user|assistant", "text": "…"}.')
        turns.append((role, said))
    return turns
