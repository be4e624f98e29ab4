"""Fields of a file that a person wrote: of the type they must be, or an error says where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from opsmith.errors import BadInput

T = TypeVar("T")


def mapping(document: object, where: str, known: set[str]) -> Mapping[str, object]:
    """A mapping with no other keys than `known`."""
    if not isinstance(document, Mapping):
        raise BadInput(f"{where} must be a mapping of {', '.join(sorted(known))}.")
    strange = sorted(map(str, set(document) - known))
    if strange:
        raise BadInput(f"{where} has no {strange[0]!r}; it knows {', '.join(sorted(known))}.")
    return document


def listed(document: object, where: str) -> Sequence[object]:
    """A list."""
    if not isinstance(document, list):
        raise BadInput(f"`{where}` must be a list.")
    return document


def words(
    given: Mapping[str, object], name: str, where: str, choices: Iterable[str] = ()
) -> tuple[str, ...]:
    """The words of one field; absent is none, but an empty list is a mistake and said so."""
    if name not in given:
        return ()
    found = given[name]
    words = [found] if isinstance(found, str) else found
    allowed = set(map(str, choices))
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise BadInput(f"{where}: `{name}` is a word or a list of words.")
    strange = [word for word in words if allowed and word not in allowed]
    if strange:
        raise BadInput(f"{where}: `{name}` has no {strange[0]!r}; there are {sorted(allowed)}.")
    return tuple(words)


def optional(given: Mapping[str, object], name: str, kind: type[T], where: str) -> T | None:
    """A field of one type; a `true` is not taken for the number 1."""
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise BadInput(f"{where}: `{name}` must be {kind.__name__}.")
    return value


def one_fits(patterns: Sequence[str], text: str) -> bool:
    """Whether one of the shell patterns fits, or there is none."""
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
