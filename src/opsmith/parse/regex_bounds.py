"""Regular expressions of strangers: which may take exponential or cubic time."""

from __future__ import annotations

import re

# With strings of at most 1,000 characters, two unbounded repeats cost a million steps at worst.
MOST_REPEATS = 2
LONGEST_PATTERN = 300
# A counted repeat above this is as good as unbounded.
_LARGE_COUNT = 100
_QUANTIFIER = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")


def fault_of(source: str) -> str | None:
    """Why a pattern is not accepted, or None.

    Refused are: what does not compile, back-references, an unbounded repeat of a group that
    itself repeats or branches, and more than `MOST_REPEATS` unbounded repeats.

    >>> fault_of("^(a+)+$")
    'a repeat inside a repeat can take exponential time'
    >>> fault_of("^[a-z]+-[0-9]+$") is None
    True
    """
    if len(source) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} characters"
    try:
        re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        return f"it is no regular expression: {error}"
    if re.search(r"\\[1-9]|\(\?P=", source):
        return "a back-reference can take exponential time"
    return _Scan(source).fault()


class _Scan:
    """One pass over a pattern, with what each open group holds."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.repeats = 0
        # For every open group: does it hold a repeat, does it branch?
        self.open: list[list[bool]] = [[False, False]]

    def fault(self) -> str | None:
        """Scan the pattern; returns the first fault."""
        place = 0
        while place < len(self.source):
            place, closed = self._atom(place)
            match = _QUANTIFIER.match(self.source, place)
            if not match:
                continue
            place = match.end()
            if _unbounded(match):
                self.repeats += 1
                if closed and any(closed):
                    return "a repeat inside a repeat can take exponential time"
                self.open[-1][0] = True
        if self.repeats > MOST_REPEATS:
            return f"it has more than {MOST_REPEATS} unbounded repeats"
        return None

    def _atom(self, place: int) -> tuple[int, list[bool] | None]:
        """Step over one atom; when it closes a group, also what the group held."""
        sign = self.source[place]
        if sign == "\\":
            return place + 2, None
        if sign == "[":
            return _class_end(self.source, place), None
        if sign == "(":
            self.open.append([False, False])
            return place + 1, None
        if sign == ")" and len(self.open) > 1:
            held = self.open.pop()
            self.open[-1][0] = self.open[-1][0] or held[0]
            return place + 1, held
        if sign == "|":
            self.open[-1][1] = True
        return place + 1, None


def _class_end(source: str, place: int) -> int:
    place += 2 if source[place + 1 : place + 2] == "^" else 1
    place += 1  # a bracket standing first is a member
    while place < len(source) and source[place] != "]":
        place += 2 if source[place] == "\\" else 1
    return place + 1


def _unbounded(match: re.Match[str]) -> bool:
    if match[0] in "*+":
        return True
    if match[0] == "?":
        return False
    upper = match[3] or ("" if match[2] else match[1])
    return not upper or int(upper) > _LARGE_COUNT
