"""A PromQL tree and recorded series -> the series that Prometheus would answer.

Source: Prometheus documentation, "Operators" and "Query functions"; the extrapolation of `rate`
follows `extrapolatedRate` of its query engine, as the promises check against a real server.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opsmith.backends.metrics import selector
from opsmith.backends.metrics.promql import (
    PRECEDENCE,
    RANGE_FUNCTIONS,
    Aggregate,
    Binary,
    Call,
    Chosen,
    Node,
    Number,
)
from opsmith.backends.metrics.ranges import LOOKBACK_S, over_range, sampled
from opsmith.errors import BadInput
from opsmith.nouns.series import Series
from opsmith.numerics.histogram import bucket_quantile

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]
_COMPARISONS = PRECEDENCE[2]
_SETS = PRECEDENCE[0] | PRECEDENCE[1]
_SIGNS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": np.fmod,
}
_COMPARED: Mapping[str, Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_JOINED: Mapping[str, Callable[[Floats], Floats]] = {
    "sum": lambda rows: np.nansum(rows, axis=0),
    "avg": lambda rows: np.nansum(rows, axis=0) / np.isfinite(rows).sum(axis=0),
    "min": lambda rows: np.fmin.reduce(rows, axis=0),
    "max": lambda rows: np.fmax.reduce(rows, axis=0),
    "count": lambda rows: np.isfinite(rows).sum(axis=0).astype(np.float64),
    "group": lambda rows: np.ones(rows.shape[1]),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One series of an answer. name: kept while nothing changed the values; values: (n,)."""

    labels: Labels
    values: Floats
    name: str = ""
    origin: Series | None = None


class Answering:
    """Answers trees over one set of series on one grid of times, Unix seconds, (n,)."""

    def __init__(
        self, recorded: Sequence[Series], labels: Sequence[Mapping[str, str]], grid_s: Floats
    ) -> None:
        self._recorded = recorded
        self._labels = labels
        self._grid_s = grid_s

    def rows(self, node: Node) -> list[Row]:
        """The series that a tree stands for; a number is one without labels."""
        if isinstance(node, Number):
            return [Row(labels=(), values=np.full(self._grid_s.size, node.value))]
        if isinstance(node, Chosen):
            if node.window_s:
                raise BadInput("A range such as [5m] stands inside of a function such as rate().")
            grid = self._grid_s - node.offset_s
            return [
                Row(
                    labels=one.labels,
                    values=sampled(one, grid, LOOKBACK_S),
                    name=one.name,
                    origin=one,
                )
                for one in self._chosen(node)
            ]
        if isinstance(node, Aggregate):
            return self._aggregate(node)
        if isinstance(node, Binary):
            return self._binary(node)
        return self._call(node)

    def _chosen(self, node: Chosen) -> list[Series]:
        return [self._recorded[n] for n in selector.chosen(node.matchers, self._labels)]

    def _aggregate(self, node: Aggregate) -> list[Row]:
        groups: dict[Labels, list[Floats]] = defaultdict(list)
        for row in self.rows(node.inner):
            kept = tuple(
                pair for pair in row.labels if (pair[0] in node.labels) is not node.without
            )
            groups[kept].append(row.values)
        made = []
        for labels, members in groups.items():
            rows = np.stack(members)
            some = np.isfinite(rows).any(axis=0)
            with np.errstate(invalid="ignore"):
                values = np.where(some, _JOINED[node.name](rows), np.nan)
            made.append(Row(labels=labels, values=values))
        return made

    def _call(self, node: Call) -> list[Row]:
        if node.name in RANGE_FUNCTIONS:
            return self._over_range(node)
        if node.name == "time":
            return [Row(labels=(), values=self._grid_s)]
        if node.name == "histogram_quantile":
            return self._quantile(node)
        if node.name in ("clamp_min", "clamp_max"):
            edge = _literal(node, 1)
            clamp = np.maximum if node.name == "clamp_min" else np.minimum
            return [_changed(row, clamp(row.values, edge)) for row in self.rows(node.arguments[0])]
        inner = self.rows(_argument(node, 0))
        if node.name == "vector":
            return inner
        return [_changed(row, np.abs(row.values)) for row in inner]

    def _over_range(self, node: Call) -> list[Row]:
        inner = _argument(node, 0)
        if not isinstance(inner, Chosen) or not inner.window_s:
            raise BadInput(f"{node.name}() takes a selector with a range, as in x[5m].")
        grid = self._grid_s - inner.offset_s
        return [
            Row(labels=one.labels, values=over_range(node.name, one, grid, inner.window_s))
            for one in self._chosen(inner)
        ]

    def _quantile(self, node: Call) -> list[Row]:
        q = _literal(node, 0)
        groups: dict[Labels, dict[float, Floats]] = defaultdict(dict)
        for row in self.rows(_argument(node, 1)):
            edge = _number(dict(row.labels).get("le", ""))
            if edge is not None:
                kept = tuple(pair for pair in row.labels if pair[0] != "le")
                groups[kept][edge] = row.values
        made = []
        for labels, buckets in groups.items():
            edges = np.array(sorted(buckets))
            if edges.size > 1 and np.isinf(edges[-1]):
                grown = np.nan_to_num(np.stack([buckets[edge] for edge in edges]))
                cumulative = np.maximum.accumulate(grown, axis=0)
                made.append(Row(labels=labels, values=bucket_quantile(q, edges, cumulative)))
        return made

    def _binary(self, node: Binary) -> list[Row]:
        left, right = self.rows(node.left), self.rows(node.right)
        if node.sign in _SETS:
            return _sets(node, left, right)
        if isinstance(node.right, Number):
            return [_applied(node, one, right[0]) for one in left]
        if isinstance(node.left, Number):
            return [_applied(node, replace(one, values=left[0].values), one) for one in right]
        partners = {_match_key(node, one.labels): one for one in right}
        made = []
        for one in left:
            partner = partners.get(_match_key(node, one.labels))
            if partner is not None:
                made.append(_applied(node, one, partner))
        return made


def _match_key(node: Binary, labels: Labels) -> Labels:
    if node.labels is None:
        return labels
    return tuple(pair for pair in labels if (pair[0] in node.labels) is not node.ignoring)


def _applied(node: Binary, left: Row, right: Row) -> Row:
    """One operator on two rows; a comparison keeps the left side where it is true."""
    labels = left.labels if node.labels is None else _match_key(node, left.labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        if node.sign not in _COMPARISONS:
            return Row(labels=labels, values=_SIGNS[node.sign](left.values, right.values))
        true = _COMPARED[node.sign](left.values, right.values)
    known = np.isfinite(left.values) & np.isfinite(right.values)
    if node.as_number:
        return Row(labels=labels, values=np.where(known, true.astype(np.float64), np.nan))
    return replace(left, values=np.where(known & true, left.values, np.nan))


def _sets(node: Binary, left: list[Row], right: list[Row]) -> list[Row]:
    """`or`, `and`, `unless`, decided at each time of the grid."""
    there = {
        _match_key(node, one.labels): np.isfinite(one.values)
        for one in (left if node.sign == "or" else right)
    }
    rest = right if node.sign == "or" else left
    made = list(left) if node.sign == "or" else []
    for one in rest:
        shown = there.get(_match_key(node, one.labels), np.zeros(one.values.size, dtype=bool))
        keep = shown if node.sign == "and" else ~shown
        made.append(replace(one, values=np.where(keep, one.values, np.nan)))
    return _merged(made)


def _merged(rows: list[Row]) -> list[Row]:
    """Rows of one series as one: no two series of an answer have the same labels."""
    found: dict[tuple[str, Labels], Row] = {}
    for row in rows:
        key = (row.name, row.labels)
        known = found.get(key)
        values = row.values if known is None else np.fmax(known.values, row.values)
        found[key] = replace(row, values=values)
    return list(found.values())


def _changed(row: Row, values: Floats) -> Row:
    return Row(labels=row.labels, values=values)


def _argument(node: Call, place: int) -> Node:
    if len(node.arguments) <= place:
        raise BadInput(f"{node.name}() lacks an argument.")
    return node.arguments[place]


def _literal(node: Call, place: int) -> float:
    found = _argument(node, place)
    if not isinstance(found, Number):
        raise BadInput(f"{node.name}() takes a number there.")
    return found.value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
