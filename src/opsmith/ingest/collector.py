"""The collector: observations of many label sets are summed under bounded many series.

Label sets are interned: a set that was seen lately costs one look-up. One that was not is folded
(see `folding`) and, beyond the budget, counted under its metric's overflow series.
Source of the overflow series: OpenTelemetry specification, "Metrics SDK, Cardinality limits".
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opsmith.ingest.folding import NAME, Folding, FoldingRules, Labels
from opsmith.nouns.redaction import redact_pairs
from opsmith.nouns.series import key_of

OVERFLOW = ("otel_metric_overflow", "true")

# Bytes of CPython 3.11 objects: a tuple of n items 40 + 8n, a str 49 + its text, a dict's row
# about 100 at its emptiest, plus the three columns.
_BYTES_OF_SERIES = 200
_BYTES_OF_PAIR = 56 + 8 + 2 * 49

Row = tuple[Labels, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the collector may hold.

    most_series, most_bytes: of series followed; overflow series come on top, one a metric.
    cached_sets: label sets, as they came, of which the series is remembered; twice so many live.
    idle_s: a series without observations for so long is let go.
    """

    most_series: int = 50_000
    most_bytes: int = 128 * 1024 * 1024
    cached_sets: int = 65_536
    idle_s: float = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All observations of one series: how many (weighted), and their weighted sum."""

    labels: Labels
    count: float
    sum: float


class Collector:
    """Follows series. A row is (label set with `__name__`, value, weight), weight above 0.

    overflowed: observations beyond the budget; evicted: idle series let go.
    """

    def __init__(self, *, rules: FoldingRules | None = None, budget: Budget | None = None) -> None:
        self.folding = Folding(rules or FoldingRules())
        self._budget = budget or Budget()
        self._young: dict[Labels, int] = {}
        self._old: dict[Labels, int] = {}
        self._numbers: dict[Labels, int] = {}
        self._labels: list[Labels | None] = []
        self._free: list[int] = []
        self._counts = array("d")
        self._sums = array("d")
        self._seen_s = array("d")
        self._forgot_s: float | None = None
        self._overflows: set[int] = set()
        self.bytes = 0
        self.overflowed = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, rows: Iterable[Row], *, at_s: float) -> None:
        """Add observations that came at `at_s` (seconds, any steady clock)."""
        young, counts, sums, seen = self._young, self._counts, self._sums, self._seen_s
        overflows = self._overflows
        for labels, value, weight in rows:
            number = young.get(labels)
            if number is None:
                number = self._placed(labels)
                young = self._young
            counts[number] += weight
            sums[number] += weight * value
            seen[number] = at_s
            if number in overflows:
                self.overflowed += 1

    def tidy(self, *, at_s: float) -> None:
        """Let go of idle series and begin the folding anew; call every minute or so."""
        if self._forgot_s is None:
            self._forgot_s = at_s
        if at_s - self._forgot_s >= self._budget.idle_s:
            self.folding.forget()
            self._forgot_s = at_s
        oldest = at_s - self._budget.idle_s
        idle = [n for n in self._numbers.values() if self._seen_s[n] < oldest]
        if idle:
            # The caches know numbers that others will get.
            self._young, self._old = {}, {}
        for number in idle:
            self._let_go(number)
        self.evicted += len(idle)

    def totals(self) -> Iterator[Total]:
        """All series in the order of their labels."""
        for labels, number in sorted(self._numbers.items()):
            yield Total(labels=labels, count=self._counts[number], sum=self._sums[number])

    def _placed(self, labels: Labels) -> int:
        """The series of a set that is not in the young cache."""
        number = self._old.get(labels)
        if number is None:
            number = self._followed(redact_pairs(self.folding.fold(labels)))
        if len(self._young) >= self._budget.cached_sets:
            self._young, self._old = {}, self._young
        self._young[labels] = number
        return number

    def _followed(self, labels: Labels) -> int:
        number = self._numbers.get(labels)
        if number is not None:
            return number
        size = _size(labels)
        full = len(self._numbers) >= self._budget.most_series
        if full or self.bytes + size > self._budget.most_bytes:
            name = next((pair for pair in labels if pair[0] == NAME), (NAME, ""))
            labels = (name, OVERFLOW)
            number = self._numbers.get(labels)
            if number is None:
                number = self._new(labels)
                self._overflows.add(number)
            return number
        return self._new(labels)

    def _new(self, labels: Labels) -> int:
        self.bytes += _size(labels)
        if self._free:
            number = self._free.pop()
            self._labels[number] = labels
            self._counts[number] = self._sums[number] = 0.0
        else:
            number = len(self._labels)
            self._labels.append(labels)
            for column in (self._counts, self._sums, self._seen_s):
                column.append(0.0)
        self._numbers[labels] = number
        return number

    def _let_go(self, number: int) -> None:
        labels = self._labels[number]
        if labels is not None:
            self.bytes -= _size(labels)
            del self._numbers[labels]
        self._labels[number] = None
        self._overflows.discard(number)
        self._free.append(number)


def exposition(totals: Iterable[Total]) -> Iterator[str]:
    """The totals as Prometheus text: each a summary's `_count` and `_sum`."""
    told = ""
    for total in totals:
        name = next((value for key, value in total.labels if key == NAME), "")
        labels = tuple(pair for pair in total.labels if pair[0] != NAME)
        if name != told:
            yield f"# TYPE {name} summary\n"
            told = name
        yield f"{key_of(f'{name}_sum', labels)} {total.sum!r}\n"
        yield f"{key_of(f'{name}_count', labels)} {total.count!r}\n"


def _size(labels: Labels) -> int:
    text = sum(len(key) + len(value) for key, value in labels)
    return _BYTES_OF_SERIES + text + _BYTES_OF_PAIR * len(labels)
