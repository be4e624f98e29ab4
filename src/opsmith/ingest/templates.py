"""Log templates: lines of one statement in the source share one template.

Where a record names its code (`code.*` attributes), level, class and line are the template:
`ERROR OrderDao#42`. Else the text is masked and like texts are folded.
Source of the folding: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree"
(ICWS 2017): first by length, then by the first word, then by the share of equal words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from opsmith.nouns.redaction import redact

ANY = "<*>"
# Drain's similarity threshold; 0.4 to 0.6 is what its authors use, by data set.
SAME_SHARE = 0.5
LONGEST_TEXT = 400
MOST_WORDS = 60
# Beyond this the lines are prose rather than log statements; the rest shares one template a level.
MOST_TEMPLATES = 10_000

_VARIABLE = re.compile(
    r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d)?"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\b0[xX][0-9a-fA-F]+\b"
    r"|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b"
    r"|\"[^\"]{0,200}\"|'[^']{0,200}'"
    r"|[-+]?\d+(?:[.,:]\d+)*"
)
_FILE_NAMES = ("code.file.path", "code.filepath")
_LINE_NUMBERS = ("code.line.number", "code.lineno")
_FUNCTIONS = ("code.function.name", "code.function")
_LOGGERS = ("logger.name", "logger", "log.logger", "logger_name")


def code_place(attributes: Mapping[str, str]) -> str:
    """Class (or file, or function) and line of the statement, empty when not told.

    >>> code_place({"code.namespace": "shop.OrderDao", "code.lineno": "42"})
    'shop.OrderDao#42'
    """
    function = _first(_FUNCTIONS, attributes)
    owner = attributes.get("code.namespace") or _first(_FILE_NAMES, attributes) or function
    line = _first(_LINE_NUMBERS, attributes)
    if owner and line:
        return f"{owner}#{line}"
    return f"{owner}.{function}" if function and owner != function else function


def logger(attributes: Mapping[str, str], scope: str) -> str:
    """The name of the logger that wrote a record."""
    return _first(_LOGGERS, attributes) or scope


def masked(text: str) -> str:
    """The text with what varies from call to call masked.

    >>> masked("paid 12.50 for order 6f1e2a90 by 10.0.0.7")
    'paid <*> for order <*> by <*>'
    """
    return _VARIABLE.sub(ANY, text[:LONGEST_TEXT])


class TemplateMiner:
    """Numbers templates as lines come; the same lines in the same order give the same numbers."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._groups: dict[tuple[str, int, str], list[int]] = {}
        self._words: list[tuple[str, list[str]]] = []
        self.examples: list[str] = []

    def placed(self, head: str, example: str) -> int:
        """The template of a line whose code is known by level and place."""
        number = self._known.get((head, ""))
        if number is None:
            number = self._known[head, ""] = self._new(head, [], example)
        return number

    def mined(self, head: str, text: str) -> int:
        """The template of a line by its level and logger, and its text."""
        shape = masked(text)
        number = self._known.get((head, shape))
        if number is None:
            number = self._known[head, shape] = self._fold(head, shape, text)
        return number

    def templates(self) -> tuple[str, ...]:
        """The templates by their numbers."""
        return tuple(" ".join(filter(None, (head, *words))) for head, words in self._words)

    def _fold(self, head: str, shape: str, text: str) -> int:
        words = redact(shape).split()[:MOST_WORDS]
        first = words[0] if words and ANY not in words[0] else ANY
        group = self._groups.setdefault((head, len(words), first), [])
        nearest, share = -1, 0.0
        for number in group:
            known = self._words[number][1]
            same = sum(a == b for a, b in zip(known, words, strict=True)) / max(len(words), 1)
            if same > share or not words:
                nearest, share = number, same
        if nearest >= 0 and (share >= SAME_SHARE or not words):
            known = self._words[nearest][1]
            known[:] = [a if a == b else ANY for a, b in zip(known, words, strict=True)]
            return nearest
        if len(self._words) >= MOST_TEMPLATES:
            return self.placed(head, text)
        group.append(len(self._words))
        return self._new(head, words, text)

    def _new(self, head: str, words: list[str], example: str) -> int:
        self._words.append((head, words))
        self.examples.append(redact(example[: 4 * LONGEST_TEXT])[:LONGEST_TEXT])
        return len(self._words) - 1


def _first(names: tuple[str, ...], attributes: Mapping[str, str]) -> str:
    return next((attributes[name] for name in names if attributes.get(name)), "")
