"""YAML with the place of every key and item, read safely: no tags, no aliases, no twins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import yaml

# A schema is a page or two; more is a mistake or an attack.
LARGEST_FILE = 256_000
_DEEPEST = 40

Path = tuple[str | int, ...]


class YamlFault(ValueError):
    """The text is not YAML of the plain kind; carries the place, counted from 1."""

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


class _Mark(Protocol):
    """Where PyYAML stands, counted from 0; its C and its Python loader have a class each."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a file; line and column count from 1."""

    line: int
    column: int


class Places:
    """Where each value of a document stands."""

    def __init__(self) -> None:
        self._found: dict[Path, Place] = {}

    def keep(self, path: Path, mark: _Mark | None) -> None:
        """Note where the value at `path` stands."""
        if mark is not None:
            self._found[path] = Place(line=mark.line + 1, column=mark.column + 1)

    def of(self, path: Path) -> Place:
        """The place of a value, or of the nearest thing around it."""
        while path and path not in self._found:
            path = path[:-1]
        return self._found.get(path, Place(line=1, column=1))


def read_yaml(text: str) -> tuple[object, Places]:
    """Read one document and where its values stand.

    Raises `YamlFault` for broken YAML, an alias (which can blow a document up), a key twice, a
    file above `LARGEST_FILE` characters or nested too deeply.
    """
    if len(text) > LARGEST_FILE:
        raise YamlFault(f"The file has {len(text)} characters; the most is {LARGEST_FILE}.")
    try:
        _look_over(text)
        loader = _LOADER(text)
        node = loader.get_single_node()
        data: object = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise _fault_at(f"This is not YAML: {error.problem}.", error.problem_mark) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, YamlFault):
            raise
        raise YamlFault("This is not plain YAML text.") from error
    places = Places()
    if node is not None:
        _note(node, (), places)
    return data, places


def _look_over(text: str) -> None:
    """Refuse, before anything is built, what could blow up while it is."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _fault_at("An alias is refused; write the value out.", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _fault_at("The file is nested too deeply.", event.start_mark)


# The parser in C is ten times as quick; it is in every wheel of PyYAML.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _fault_at(message: str, mark: _Mark | None) -> YamlFault:
    if mark is None:
        return YamlFault(message)
    return YamlFault(message, line=mark.line + 1, column=mark.column + 1)


def _note(node: yaml.Node, path: Path, places: Places) -> None:
    if len(path) > _DEEPEST:
        raise YamlFault("The file is nested too deeply.", line=node.start_mark.line + 1)
    places.keep(path, node.start_mark)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name, mark = str(key.value), key.start_mark
            if name in seen:
                raise YamlFault(
                    f"The key {name!r} stands here twice.",
                    line=mark.line + 1,
                    column=mark.column + 1,
                )
            seen.add(name)
            _note(value, (*path, name), places)
            places.keep((*path, name), mark)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note(item, (*path, index), places)
