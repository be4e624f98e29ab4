"""Label folding: labels with ever new values are kept to a bounded number of them.

The first values of a label keep series of their own. Once there are too many, a new value goes
into one of a few buckets, `~0` to `~31`, by its hash: it always goes into the same one, and sums
over the buckets lose nothing. A label whose values hardly ever come back (a request's id) tells
nothing by bucket either and becomes `~other`.
"""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.ingest.distinct import Bloom, Distinct, stable_hash

Labels = tuple[tuple[str, str], ...]

NAME = "__name__"
OTHER = "~other"
LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldingRules:
    """What is folded.

    most_values: how many values of one label of one metric keep series of their own.
    buckets: how many series the others share. keep: labels never folded; drop: labels left out.
    error: the chance that a new value is taken for one of the first.
    unique_share, unique_after: a label with more distinct values than this share of all its
        new label sets, once so many were seen, is told as `~other`.
    most_labels: how many labels of metrics are watched; any beyond are left out.
    """

    most_values: int = 128
    buckets: int = 32
    keep: frozenset[str] = frozenset({NAME, "service"})
    drop: frozenset[str] = frozenset()
    error: float = 0.01
    unique_share: float = 0.9
    unique_after: int = 1_000
    most_labels: int = 1_024


@dataclass(slots=True)
class _Watched:
    """One label of one metric."""

    distinct: Distinct
    first: Bloom
    admitted: int = 0
    sets: int = 0
    asked_at: int = 0
    unique: bool = False


class Folding:
    """Folds label sets. Only sets that were not seen lately come here.

    folded: values folded into a bucket, `unique`: into `~other`, `dropped`: labels left out.
    """

    def __init__(self, rules: FoldingRules) -> None:
        self._rules = rules
        self._watched: dict[tuple[str, str], _Watched] = {}
        self.folded = 0
        self.unique = 0
        self.dropped = 0

    def fold(self, labels: Labels) -> Labels:
        """The label set under which `labels` is followed."""
        name = next((value for key, value in labels if key == NAME), "")
        found = []
        for key, value in labels:
            if key in self._rules.drop:
                self.dropped += 1
                continue
            kept = value if key in self._rules.keep else self._value(name, key, value)
            if kept is not None:
                found.append((key, kept[:LONGEST_VALUE]))
        return tuple(found)

    def values(self) -> dict[tuple[str, str], float]:
        """The estimated number of distinct values by metric and label."""
        return {key: watched.distinct.count() for key, watched in self._watched.items()}

    def forget(self) -> None:
        """Begin anew: what was among the first values may be long gone."""
        self._watched.clear()

    def _value(self, name: str, key: str, value: str) -> str | None:
        watched = self._watched.get((name, key))
        if watched is None:
            if len(self._watched) >= self._rules.most_labels:
                self.dropped += 1
                return None
            watched = self._watched[name, key] = self._new()
        hashed = stable_hash(value)
        watched.sets += 1
        watched.distinct.add(hashed)
        if hashed in watched.first:
            return value
        if watched.admitted < self._rules.most_values:
            watched.first.add(hashed)
            watched.admitted += 1
            return value
        if self._is_unique(watched):
            self.unique += 1
            return OTHER
        self.folded += 1
        return f"~{hashed % self._rules.buckets}"

    def _is_unique(self, watched: _Watched) -> bool:
        """Whether nearly every new set brings a new value; asked once in a while, then kept."""
        rules = self._rules
        if not watched.unique and watched.sets >= watched.asked_at + rules.unique_after:
            watched.asked_at = watched.sets
            watched.unique = watched.distinct.count() > rules.unique_share * watched.sets
        return watched.unique

    def _new(self) -> _Watched:
        rules = self._rules
        return _Watched(Distinct(), Bloom(most=rules.most_values, error=rules.error))
