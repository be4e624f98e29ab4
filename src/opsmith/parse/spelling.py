"""Slips of the finger in words for reading: `memroy` -> `memory`; a change is never mended."""

from __future__ import annotations

import re
from functools import cache

from opsmith.parse.lexicon import short_forms, spelling_words

_WORD = re.compile(r"(?<![\w./-])[A-Za-z]{3,14}(?![\w./-])", re.ASCII)
# Below this length, most words are one slip away from some other word.
_SHORTEST = 6


def mend(text: str, known: frozenset[str]) -> str:
    """Replace what is one slip away from exactly one word for reading, and written short forms.

    known: words in lower case that are never mended, such as names.

    >>> mend("chk memroy of cart", frozenset({"cart"}))
    'check memory of cart'
    """
    return _WORD.sub(lambda word: _mended(word[0], known), text)


def _mended(word: str, known: frozenset[str]) -> str:
    low = word.lower()
    if low in known or low in spelling_words():
        return word
    if low in short_forms():
        return short_forms()[low]
    return _slips().get(low, word) if len(low) >= _SHORTEST else word


@cache
def _slips() -> dict[str, str]:
    """Two letters swapped, or one left out or typed twice -> the word, where it is one word."""
    found: dict[str, set[str]] = {}
    for word in spelling_words():
        for slip in _slips_of(word):
            found.setdefault(slip, set()).add(word)
    return {slip: words.pop() for slip, words in found.items() if len(words) == 1}


def _slips_of(word: str) -> set[str]:
    # The first letter is seldom wrong, and holding on to it keeps other words out.
    places = range(1, len(word))
    swapped = {
        word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in places if i + 1 < len(word)
    }
    dropped = {word[:i] + word[i + 1 :] for i in places if i + 1 < len(word)}
    doubled = {word[:i] + word[i] + word[i:] for i in places}
    return swapped | dropped | doubled
