"""Loading: the built-in schemas and inventory files, read from disk into values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from opsmith.errors import BadInput
from opsmith.parse.catalogue import ENVIRONMENTS, Catalogue
from opsmith.parse.schema import TaskSchema
from opsmith.parse.schema_check import checked_schema

# An inventory lists names; this many bytes hold about two hundred thousand of them.
LARGEST_INVENTORY = 8_000_000


@cache
def builtin_schemas() -> Mapping[str, TaskSchema]:
    """The schemas that come with opsmith, by intent."""
    folder = files("opsmith.parse") / "schemas"
    found = [
        checked_schema(entry.read_text(encoding="utf-8"), name=entry.name)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    ]
    return {schema.intent: schema for schema in found}


def load_catalogue(path: Path) -> Catalogue:
    """Read an inventory file, JSON or YAML, of at most `LARGEST_INVENTORY` bytes.

    Keys, all optional: `services`, `hosts`, `host_groups`, `namespaces`, `alerts` (lists of
    names); `aliases` or `service_aliases_zh` (other name -> service); `env_aliases` or
    `env_aliases_zh` (other name -> prod, staging, dev or dr). Other keys are left alone.
    Raises `BadInput` when the file cannot be read or a value has the wrong shape.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The inventory {path.name!r} cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST_INVENTORY:
        raise BadInput(f"The inventory has {len(raw)} bytes; the most is {LARGEST_INVENTORY}.")
    try:
        text = raw.decode("utf-8")
        data: object = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise BadInput(f"The inventory {path.name!r} is neither JSON nor YAML.") from error
    return catalogue_of(data)


def catalogue_of(data: object) -> Catalogue:
    """Make a catalogue of the parsed content of an inventory file. Raises `BadInput`."""
    if not isinstance(data, dict):
        raise BadInput("An inventory is a mapping with `services`, `hosts` and so on.")
    environments = _aliases(data, "env_aliases", "env_aliases_zh")
    if not set(environments.values()) <= set(ENVIRONMENTS):
        raise BadInput(f"An alias of an environment stands for one of {', '.join(ENVIRONMENTS)}.")
    return Catalogue(
        services=_names(data, "services"),
        hosts=_names(data, "hosts"),
        host_groups=_names(data, "host_groups"),
        namespaces=_names(data, "namespaces"),
        alerts=_names(data, "alerts"),
        aliases=_aliases(data, "aliases", "service_aliases", "service_aliases_zh"),
        env_aliases=environments,
    )


def _names(data: Mapping[object, object], key: str) -> frozenset[str]:
    value = data.get(key, [])
    names = list(value) if isinstance(value, list | dict) else None
    if names is None or not all(isinstance(name, str) and name.strip() for name in names):
        raise BadInput(f"`{key}` of an inventory is a list of names.")
    return frozenset(str(name).strip() for name in names)


def _aliases(data: Mapping[object, object], *keys: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys:
        value = data.get(key, {})
        if not isinstance(value, dict):
            raise BadInput(f"`{key}` of an inventory maps another name to a name.")
        found |= {str(alias): str(name) for alias, name in value.items()}
    return found
