"""The words of the languages opsmith reads, kept in TOML beside this file, compiled once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypedDict, cast

from opsmith.parse.spans import pattern

STRONG, NOUN, STATE = 3.0, 2.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A pattern with the kind of span it makes and, for a fixed phrase, its value."""

    kind: str
    compiled: re.Pattern[str]
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Named times, and the roles that words give a length of time."""

    phrases: tuple[Phrase, ...]
    roles: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The patterns of one intent with the points each gives, and what rules the intent out."""

    scored: tuple[tuple[re.Pattern[str], float], ...]
    ruled_out: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWords:
    """Programs by what running them may do.

    words: sets of programs by name of the set.
    subcommands: program -> the first arguments with which it only looks.
    writing: program -> the arguments with which it does not only look.
    drops: arguments that destroy, whatever the program.
    """

    words: Mapping[str, frozenset[str]]
    subcommands: Mapping[str, frozenset[str]]
    writing: Mapping[str, re.Pattern[str]]
    drops: re.Pattern[str]


@cache
def values() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    """Slot name -> canonical value -> one pattern; in the order of the file."""
    table = _tables("values.toml")
    return {
        slot: {value: _either(sources) for value, sources in entries.items()}
        for slot, entries in table.items()
    }


@cache
def times() -> Times:
    """The phrases of `times.toml`."""
    table = cast("Mapping[str, list[_TimeRow]]", tomllib.loads(_text("times.toml")))
    return Times(
        phrases=tuple(
            Phrase(kind=row["kind"], value=row["value"], compiled=_either(row["patterns"]))
            for row in table["phrase"]
        ),
        roles=tuple(
            Phrase(kind=row["kind"], compiled=pattern(source))
            for row in table["role"]
            for source in row["patterns"]
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Joints:
    """What stands between clauses.

    marks: pairs of a mark ("then", "if", ...) and its pattern, in the order they are tried.
    suffix: a mark -> the pattern of a clause's end that means it (Chinese).
    condition: a finding -> the pattern of a condition that asks for it.
    """

    marks: tuple[tuple[str, re.Pattern[str]], ...]
    suffix: Mapping[str, re.Pattern[str]]
    condition: Mapping[str, re.Pattern[str]]


@cache
def joints() -> Joints:
    """The words of `clauses.toml`."""
    table = _tables("clauses.toml")
    return Joints(
        marks=tuple((mark, _either(sources)) for mark, sources in table["joint"].items()),
        suffix={mark: _either(sources) for mark, sources in table["suffix"].items()},
        condition={name: _either(sources) for name, sources in table["condition"].items()},
    )


@cache
def thresholds() -> Mapping[str, Mapping[str, list[str]]]:
    """The words of `thresholds.toml`, as sources to build patterns from."""
    return _tables("thresholds.toml")


@cache
def intents() -> Mapping[str, Evidence]:
    """Intent -> its evidence, in the order of the file, which also settles ties."""
    return {intent: _evidence(entry) for intent, entry in _tables("intents.toml").items()}


@cache
def slot_words() -> Mapping[str, Mapping[str, tuple[re.Pattern[str], ...]]]:
    """Slot -> name of the reading -> its patterns, each tried in turn."""
    return {
        slot: {
            name: tuple(pattern(source) for source in sources) for name, sources in rows.items()
        }
        for slot, rows in _tables("slots.toml").items()
    }


@cache
def safety() -> Mapping[str, Mapping[str, re.Pattern[str]]]:
    """Gate -> name of the rule -> one pattern."""
    return {
        gate: {name: _either(sources) for name, sources in rules.items()}
        for gate, rules in _tables("safety.toml").items()
    }


def phrase(module: str, name: str) -> re.Pattern[str]:
    """One pattern of `phrases.toml`; its alternatives keep their groups in order."""
    return pattern("|".join(_phrases()[module][name]))


def phrases(module: str, name: str) -> list[str]:
    """The alternatives of one pattern of `phrases.toml`, as written."""
    return _phrases()[module][name]


@cache
def _phrases() -> Mapping[str, Mapping[str, list[str]]]:
    return {module: dict(rows) for module, rows in _tables("phrases.toml").items()}


@cache
def stop_words() -> frozenset[str]:
    """English words that are never a name."""
    text = _text("stop_words.txt")
    return frozenset(text.partition("\n")[2].split())


@cache
def spelling_words() -> frozenset[str]:
    """Words for reading that slips are mended to."""
    return frozenset(_text("spelling.txt").partition("\n")[2].split())


@cache
def short_forms() -> Mapping[str, str]:
    """Short forms in writing -> the word."""
    return cast("Mapping[str, str]", tomllib.loads(_text("short_forms.toml")))


@cache
def group_words() -> Mapping[str, str]:
    """What a group of hosts is called -> the name it usually has."""
    return cast("Mapping[str, str]", tomllib.loads(_text("group_words.toml")))


@cache
def participles() -> Mapping[str, str]:
    """What is asked to be done -> the verb."""
    return cast("Mapping[str, str]", tomllib.loads(_text("participles.toml")))


@cache
def command_words() -> CommandWords:
    """The programs of `commands.toml`."""
    table = cast("_CommandTable", tomllib.loads(_text("commands.toml")))
    words = {name: frozenset(table["words"][name].split()) for name in ("wrappers", "destructive")}
    words["read_only"] = frozenset(table["read_only"].split())
    words["known"] = (
        words["read_only"]
        | words["destructive"]
        | table["subcommands"].keys()
        | frozenset(table["words"]["other"].split())
    )
    return CommandWords(
        words=words,
        subcommands={name: frozenset(args) for name, args in table["subcommands"].items()},
        writing={name: re.compile(source) for name, source in table["writing"].items()},
        drops=re.compile(table["words"]["destructive_arguments"], re.IGNORECASE),
    )


def _evidence(entry: Mapping[str, list[str]]) -> Evidence:
    rows: list[tuple[re.Pattern[str], float]] = []
    for level, points in (("strong", STRONG), ("noun", NOUN), ("state", STATE)):
        by_points: dict[float, list[str]] = {}
        for source in entry.get(level, []):
            text, _, own = source.partition("@@")
            by_points.setdefault(float(own) if own else points, []).append(text)
        rows += [(_either(sources), worth) for worth, sources in by_points.items()]
    rows.sort(key=lambda row: -row[1])
    return Evidence(
        scored=tuple(rows), ruled_out=tuple(pattern(source) for source in entry.get("not", []))
    )


def _either(sources: Iterable[str]) -> re.Pattern[str]:
    return pattern("|".join(f"(?:{source})" for source in sources))


def _tables(name: str) -> Mapping[str, Mapping[str, list[str]]]:
    """A file of tables of lists of patterns. The files are ours, and a test reads every entry."""
    return cast("Mapping[str, Mapping[str, list[str]]]", tomllib.loads(_text(name)))


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


class _TimeRow(TypedDict):
    kind: str
    value: str
    patterns: list[str]


class _CommandTable(TypedDict):
    read_only: str
    subcommands: dict[str, list[str]]
    words: dict[str, str]
    writing: dict[str, str]
