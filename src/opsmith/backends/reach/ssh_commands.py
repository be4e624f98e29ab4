"""Commands that may be run on hosts, by name: a list of words with places for checked values.

A value fills a place within one word and never becomes another word, a flag or a line; the words
are quoted one by one for the shell at the other end.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opsmith.errors import BadInput
from opsmith.nouns.plan import Value

_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,40})\}")
LONGEST_VALUE = 1_000

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What a value of a command may be: text that fits a pattern, one of some, or a number.

    pattern: of the whole text, empty for none. choices: empty for any. low, high: of a whole
    number; both None for text.
    """

    pattern: str = ""
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command that somebody who may edit the targets file let in.

    look: words that print what `argv` would change. check: words that end with 0 when it worked.
    undo: words that take it back; run also where nothing was done. changes: whether it does.
    """

    argv: Words
    slots: Mapping[str, Slot] = field(default_factory=dict)
    look: Words = ()
    check: Words = ()
    undo: Words = ()
    changes: bool = True


def places(words: Sequence[str]) -> set[str]:
    """The names of the places in a template."""
    return {name for word in words for name in _PLACE.findall(word)}


def line(words: Sequence[str], command: Command, given: Sequence[str]) -> str:
    """The words with the values in their places, each quoted for a POSIX shell.

    given: `NAME=VALUE` each. Raises `BadInput` for a value too many, too few, or that does not
    fit its slot.
    """
    values = _values(command, given)
    return shlex.join(_filled(word, values) for word in words)


def recognised(text: str, command: Command) -> tuple[str, ...] | None:
    """The `NAME=VALUE` words with which a command says just this text; None when it never does.

    >>> recognised("journalctl -u cart", Command(argv=("journalctl", "-u", "{unit}"), slots={}))
    ('unit=cart',)
    >>> recognised("journalctl -u", Command(argv=("journalctl", "-u", "{unit}"), slots={}))
    """
    try:
        said = shlex.split(text)
    except ValueError:
        return None
    if len(said) != len(command.argv):
        return None
    values: dict[str, str] = {}
    for word, template in zip(said, command.argv, strict=True):
        parts = _PLACE.split(template)
        form = "".join("(.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
        fits = re.fullmatch(form, word)
        if fits is None:
            return None
        for name, value in zip(parts[1::2], fits.groups(), strict=True):
            if values.setdefault(name, value) != value:
                return None
    return tuple(f"{name}={value}" for name, value in values.items())


def _values(command: Command, given: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or name not in command.slots or name in values:
            known = ", ".join(sorted(command.slots)) or "no values"
            raise BadInput(f"{pair[:60]!r} is no NAME=VALUE of this command; it takes {known}.")
        _fits(name, text, command.slots[name])
        values[name] = text
    missing = sorted(set(command.slots) - set(values))
    if missing:
        raise BadInput(f"The command lacks {', '.join(missing)}.")
    return values


def _fits(name: str, text: str, slot: Slot) -> None:
    if not text or len(text) > LONGEST_VALUE or not text.isprintable():
        raise BadInput(f"{name} must be 1 to {LONGEST_VALUE} printable characters.")
    if slot.low is not None and slot.high is not None:
        whole = re.fullmatch(r"-?[0-9]{1,18}", text)
        if not whole or not slot.low <= int(text) <= slot.high:
            raise BadInput(f"{name} must be a whole number from {slot.low} to {slot.high}.")
        return
    if slot.choices and text not in slot.choices:
        raise BadInput(f"{name} must be one of {', '.join(slot.choices)}.")
    if slot.pattern and not re.fullmatch(slot.pattern, text):
        raise BadInput(f"{name} must fit {slot.pattern}, not {text[:60]!r}.")


def _filled(word: str, values: Mapping[str, Value]) -> str:
    filled = _PLACE.sub(lambda place: str(values[place.group(1)]), word)
    if filled.startswith("-") and not word.startswith("-"):
        raise BadInput(f"{filled[:60]!r} would be read as an option.")
    return filled
