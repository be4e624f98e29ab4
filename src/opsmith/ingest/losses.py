"""Losses: what could not be read, counted and named by file and line."""

from __future__ import annotations

from opsmith.nouns.recording import Missing


class Losses:
    """Gathers what a recording lacks; losses of one sort are told once, with their number."""

    def __init__(self) -> None:
        # (part, file, what) -> [where the first one is, how many there are]
        self._found: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._absent: dict[tuple[str, str], None] = {}

    def absent(self, part: str, what: str) -> None:
        """Note a part that was not recorded at all: a lack, but nothing wrong."""
        self._absent[part, what] = None

    def note(self, part: str, what: str) -> None:
        """Note one thing that `part` lacks."""
        self._found.setdefault((part, "", what), ("", 1))

    def line(self, part: str, file: str, number: int, what: str) -> None:
        """Note that line `number` of `file` was not used, or not all of it, and why."""
        self._add((part, file, what), f"{file}:{number}", 1)

    def count(self, part: str, file: str, times: int, what: str) -> None:
        """Note `times` losses of one sort in `file`; nothing when there are none."""
        if times:
            self._add((part, file, what), file, times)

    def _add(self, key: tuple[str, str, str], place: str, times: int) -> None:
        first, before = self._found.get(key, (place, 0))
        self._found[key] = (first, before + times)

    def missing(self) -> tuple[Missing, ...]:
        """All that was noted: what is wrong in the order in which it was met, then what lacks."""
        return (*self.wrong(), *self.lacking())

    def lacking(self) -> tuple[Missing, ...]:
        """The parts that were not recorded."""
        return tuple(Missing(part=part, what=what) for part, what in self._absent)

    def wrong(self) -> tuple[Missing, ...]:
        """What was there and could not be used, or not as it stood."""
        return tuple(
            Missing(part=part, what=_sentence(place, what, times))
            for (part, _, what), (place, times) in self._found.items()
        )


def _sentence(place: str, what: str, times: int) -> str:
    told = f"{place}: {what}" if place else what
    return told if times == 1 else f"{told} ({times} times)"
