"""Spans: pieces of a text set aside as typed values, each leaving a two-character tag behind.

Both characters of a tag are private-use, so no pattern for words or digits can match inside one,
and a text cannot forge one (`normalise` takes private-use characters out).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from opsmith.nouns.task import SlotValue

KINDS = [
    "svc",
    "host",
    "grp",
    "ns",
    "env",
    "name",
    "metric",
    "alert",
    "win",
    "hor",
    "dur",
    "age",
    "clock",
    "thr",
    "ver",
    "num",
    "cmd",
    "quote",
    "path",
    "exc",
    "unknown",
]
_FIRST_KIND = 0xE000
_FIRST_INDEX = 0xE100
# The private-use block ends at U+F8FF.
MOST_SPANS = 0xF8FF - _FIRST_INDEX
_GROUPS = {
    "thing": ("svc", "host", "grp", "ns", "name", "unknown"),
    "target": ("svc", "host", "grp", "ns", "env", "name", "unknown"),
    "time": ("win", "hor", "dur", "age", "clock"),
}
_LETTER = {kind: chr(_FIRST_KIND + place) for place, kind in enumerate(KINDS)}
TAG = re.compile(
    f"[{chr(_FIRST_KIND)}-{chr(_FIRST_KIND + len(KINDS))}][{chr(_FIRST_INDEX)}-\uf8ff]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One value found in the text: its kind, its canonical value and the words it stood in."""

    kind: str
    value: SlotValue
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a lexer made of a match: a kind and a value, and the text to keep around the tag."""

    kind: str
    value: SlotValue
    before: str = ""
    after: str = ""


# What is no letter of any language and no tag.
_NO_WORD = r"(?u:(?!(?-i:[\ue000-\uf8ff]))\W)"
# Without regard to case, a set is compiled letter by letter; sets with long ranges of what has no
# case are set apart, which makes the first sentence of a process cheaper to read.
_SET = re.compile(r"(?<!\\)\[[^\[\]]*\]")
_LONG_RANGE = re.compile(r"-(?:\\u9fff|\\uf8ff|\u9fff|\uf8ff)")
_CASED = re.compile(r"[a-zA-Z]")
_ESCAPED = re.compile(r"\\u[0-9a-f]{4}|\\[wsd]|a-zA-Z|A-Za-z")
Reader = Callable[["re.Match[str]"], Found | None]


def pattern(source: str) -> re.Pattern[str]:
    r"""Compile a pattern in which `<svc>` means the tag of a service, and so on.

    `\b` and `\w` mean ASCII word characters: between a Chinese and a Latin letter is a boundary.
    `\W` is neither of them, nor a Chinese character or a tag.
    """
    plain = _SET.sub(_set_apart, source).replace(r"\W", _NO_WORD)
    return re.compile(_with_tags(plain), re.IGNORECASE | re.ASCII)


def _set_apart(match: re.Match[str]) -> str:
    plain = _LONG_RANGE.search(match[0]) and not _CASED.search(_ESCAPED.sub("", match[0]))
    return f"(?-i:{match[0]})" if plain else match[0]


def _with_tags(source: str) -> str:
    def letters(match: re.Match[str]) -> str:
        kinds = _GROUPS.get(match[1], (match[1],) if match[1] in _LETTER else ())
        return f"(?:[{''.join(_LETTER[kind] for kind in kinds)}].)" if kinds else match[0]

    return re.sub(r"(?<!\?P)<(\w+)>", letters, source)


class Tagger:
    """A text under reading: lexers replace what they find by tags, in the order they are run."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: list[Span] = []

    def tag(self, compiled: re.Pattern[str], read: Reader) -> None:
        """Replace each match for which `read` finds a value."""

        def swap(match: re.Match[str]) -> str:
            found = read(match) if len(self.spans) < MOST_SPANS else None
            if found is None:
                return match[0]
            return f"{found.before}{self.keep(found, match[0])}{found.after}"

        self.text = compiled.sub(swap, self.text)

    def keep(self, found: Found, words: str) -> str:
        """Set one value aside; returns its tag."""
        self.spans.append(Span(kind=found.kind, value=found.value, words=self.raw(words)))
        return _LETTER[found.kind] + chr(_FIRST_INDEX + len(self.spans) - 1)

    def span(self, tag: str) -> Span:
        """The span behind a tag."""
        return self.spans[ord(tag[1]) - _FIRST_INDEX]

    def within(self, text: str) -> list[Span]:
        """The spans whose tags stand in `text`, in order."""
        return [self.span(tag) for tag in TAG.findall(text)]

    def spoken(self) -> str:
        """The whole text as typed, but for quotations and commands, which stay tags."""
        return TAG.sub(
            lambda tag: tag[0] if self.span(tag[0]).kind in {"quote", "cmd"} else self.raw(tag[0]),
            self.text,
        )

    def raw(self, text: str) -> str:
        """`text` with every tag replaced by the words it stood for."""
        return TAG.sub(lambda tag: self.span(tag[0]).words, text)
