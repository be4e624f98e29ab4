"""Patterns that an answer of a stranger is searched for, whose cost is known before they are used.

Python's regular expressions try every way to match, which can take for ever. Here a pattern has
at most `MOST_WAYS` ways from each place of a line, and a line is cut at `LONGEST_LINE`.
"""

from __future__ import annotations

import re

from opsmith.errors import BadInput

LONGEST_PATTERN = 200
LONGEST_LINE = 1_000
# One open-ended repetition, and no more: 64 KiB of the worst lines then take below half a second.
MOST_WAYS = LONGEST_LINE
_TOKEN = re.compile(
    r"""(?P<escape>\\.) | (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\]) | (?P<open>\((?:\?:)?)
    | (?P<close>\)) | (?P<repeat>[*+?]|\{(?P<least>[0-9]*)(?:(?P<comma>,)(?P<most>[0-9]*))?\})
    | (?P<or>\|) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_REFERENCES = frozenset("123456789")


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, once its cost is bounded. Raises `BadInput` with what is too much.

    >>> bool(compiled(r"version [0-9.]+ ready").search("version 1.2 ready"))
    True
    """
    if len(pattern) > LONGEST_PATTERN:
        raise BadInput(f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        made = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"{pattern!r} is no regular expression: {error}.") from error
    if _ways(pattern) > MOST_WAYS:
        raise BadInput(
            f"{pattern!r} can match in too many ways.",
            hint="Use one `*` or `+` at most, and bounds such as {0,20} elsewhere.",
        )
    return made


def found_in(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a line of `text` matches somewhere; of a long line its beginning is searched."""
    return any(pattern.search(line[:LONGEST_LINE]) for line in text.splitlines())


def _ways(pattern: str) -> int:
    """How many ways there are to match from one place, at most."""
    ways, before = 1, ""
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup or ""
        if (kind == "escape" and token[0][1] in _REFERENCES) or (
            before == "open" and token[0] == "?"
        ):
            raise BadInput(f"{pattern!r} holds a reference or a look around; neither is taken.")
        if kind == "or":
            ways *= 2
        elif token["repeat"]:
            kind = "repeat"
            ways *= _choices(token) if before != "repeat" else 1
            if before == "close":
                raise BadInput(f"{pattern!r} repeats a group; repeat single characters alone.")
        before = kind
    return ways


def _choices(token: re.Match[str]) -> int:
    if token[0] in {"*", "+"} or (token["comma"] and not token["most"]):
        return LONGEST_LINE
    if token[0] == "?":
        return 2
    least = int(token["least"] or 0)
    return (int(token["most"]) - least if token["most"] else 0) + 1
