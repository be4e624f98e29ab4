"""Log templates mined as lines come, in bounded memory: what was not seen for longest gives way.

The folding is Drain's, as in `templates`: by number of words and first word, then by the share
of equal words. There a whole recording is numbered; here a stream has no end.
Source: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS 2017).
"""

from __future__ import annotations

from collections import OrderedDict

from opsmith.ingest.templates import ANY, MOST_WORDS, SAME_SHARE, masked

MOST_TEMPLATES = 2_000
MOST_SHAPES = 8_192

Group = tuple[int, str]


class OnlineTemplates:
    """Gives each line the template that it fits; lines alike make one more general."""

    def __init__(self, *, most: int = MOST_TEMPLATES, most_shapes: int = MOST_SHAPES) -> None:
        self._most = most
        self._most_shapes = most_shapes
        # Number -> its group and words, the least lately used first.
        self._known: OrderedDict[int, tuple[Group, list[str]]] = OrderedDict()
        self._groups: dict[Group, list[int]] = {}
        self._shapes: OrderedDict[str, int] = OrderedDict()
        self._next = 0

    def __len__(self) -> int:
        return len(self._known)

    def template(self, text: str) -> str:
        """The template of a line.

        >>> mined = OnlineTemplates()
        >>> mined.template("paid 12.50 by ann"), mined.template("paid 7 by bob")
        ('paid <*> by ann', 'paid <*> by <*>')
        """
        shape = masked(text)
        number = self._shapes.get(shape)
        if number is None or number not in self._known:
            number = self._folded(shape.split()[:MOST_WORDS])
            self._shapes[shape] = number
            if len(self._shapes) > self._most_shapes:
                self._shapes.popitem(last=False)
        self._known.move_to_end(number)
        return " ".join(self._known[number][1])

    def _folded(self, words: list[str]) -> int:
        first = words[0] if words and ANY not in words[0] else ANY
        group = (len(words), first)
        beside = self._groups.get(group, ())
        nearest = max(beside, key=lambda one: self._alike(one, words), default=None)
        if nearest is None or self._alike(nearest, words) < SAME_SHARE:
            return self._new(group, words)
        known = self._known[nearest][1]
        known[:] = [a if a == b else ANY for a, b in zip(known, words, strict=True)]
        return nearest

    def _alike(self, number: int, words: list[str]) -> float:
        """The share of equal words, 1 for two empty lines."""
        known = self._known[number][1]
        same = sum(a == b for a, b in zip(known, words, strict=True))
        return same / len(words) if words else 1.0

    def _new(self, group: Group, words: list[str]) -> int:
        if len(self._known) >= self._most:
            oldest, (old_group, _) = self._known.popitem(last=False)
            self._groups[old_group].remove(oldest)
            if not self._groups[old_group]:
                del self._groups[old_group]
        number, self._next = self._next, self._next + 1
        self._known[number] = (group, words)
        self._groups.setdefault(group, []).append(number)
        return number
