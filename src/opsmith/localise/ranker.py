"""The ranker: one score a candidate out of all channels.

What was measured is summed over the channels as weight · log(1 + strength²); the weights are 1
unless solved incidents speak against it.  Alerts have no size, only patterns, so they are read by
a forest of small trees over name-free columns, fitted on labelled storms with a list-wise softmax
loss; its sum is in the same unit, log odds.  Without a forest the alerts' own strength stands in.
Sources: softmax loss over lists: Cao et al. (2007), Learning to Rank, section 4 (ListNet with the
top-one probability); forests: Ke et al. (2017), LightGBM.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.localise.features import Table
from opsmith.localise.marks import mark_scores
from opsmith.nouns.diagnosis import Channel

VERSION = 1
MEASURING = tuple(channel for channel in Channel if channel is not Channel.ALERT)
# A storm of this many distinct alerts is believed by half; fewer teach less about a pattern.
HALF_BELIEVED = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Regression trees as flat arrays; node 0 of each tree is its root.

    columns: names of the columns in the order that `column` counts.
    roots: (trees,) first node of each tree.  For node i: column[i], -1 at a leaf;
    below[i]: go to left[i] when the value is at most that; missing_left[i]: where NaN goes;
    left, right: nodes; value[i]: what a leaf adds, in log odds.
    """

    columns: tuple[str, ...]
    roots: NDArray[np.int32]
    column: NDArray[np.int32]
    below: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the trees, (n,), for (n, len(columns)) values; NaN is a missing value."""
        node = np.tile(self.roots, (len(values), 1))
        row = np.arange(len(values))[:, None]
        while (inner := self.column[node] >= 0).any():
            seen = values[row, np.where(inner, self.column[node], 0)]
            left = np.where(np.isnan(seen), self.missing_left[node], seen <= self.below[node])
            node = np.where(inner, np.where(left, self.left[node], self.right[node]), node)
        return np.asarray(self.value[node].sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranker:
    """Weights as a value.

    channels: the weight of each measuring channel, 1 where none is given.
    forests: summed; none means the alerts' own strength.
    marks: weights of single alerts around a candidate, learned from a system's own past.
    temperature: what its scores are divided by to be calibrated log odds.
    origin: one sentence for people, where the weights come from.
    """

    channels: Mapping[Channel, float] = field(default_factory=dict)
    forests: tuple[Forest, ...] = ()
    marks: Mapping[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    origin: str = "no fitted weights: the sum of the channels' evidence"

    def scores(self, table: Table) -> NDArray[np.float64]:
        """(candidates,) log odds up to a constant of the incident; higher is likelier."""
        return self.measured_scores(table) + self.alert_scores(table)

    def measured_scores(self, table: Table) -> NDArray[np.float64]:
        """What the measuring channels say together, (candidates,)."""
        weights = np.array([self.channels.get(channel, 1.0) for channel in MEASURING])
        return np.asarray(strengths(table, MEASURING) @ weights)

    def alert_scores(self, table: Table) -> NDArray[np.float64]:
        """What the alerts add to what was measured, (candidates,)."""
        if table.storm == 0:
            return np.zeros(len(table.entities))
        if not self.forests:
            return strengths(table, (Channel.ALERT,))[:, 0]
        total = np.sum([f.predict(table.select(f.columns)) for f in self.forests], axis=0)
        believed = total * table.storm / (table.storm + HALF_BELIEVED)
        if self.marks and table.marks:
            believed = believed + mark_scores(table.marks, self.marks)
        return np.asarray(believed)


UNFITTED = Ranker()


def strengths(table: Table, channels: Sequence[Channel]) -> NDArray[np.float64]:
    """log(1 + strength²) of each channel, (candidates, channels); 0 where it is silent."""
    return np.nan_to_num(table.select([f"{channel}.strength" for channel in channels]))


def to_json(ranker: Ranker) -> str:
    """The ranker as JSON text."""
    forests = [
        {
            name: _plain(values) if isinstance(values, np.ndarray) else values
            for name, values in asdict(forest).items()
        }
        for forest in ranker.forests
    ]
    return json.dumps(
        {
            "version": VERSION,
            "origin": ranker.origin,
            "temperature": ranker.temperature,
            "channels": {str(channel): weight for channel, weight in ranker.channels.items()},
            "forests": forests,
            "marks": dict(ranker.marks),
        }
    )


def from_json(text: str) -> Ranker:
    """Read what `to_json` wrote. Raises `BadInput` when the text is anything else."""
    try:
        value = json.loads(text)
        if value["version"] != VERSION:
            raise BadInput(
                f"Ranker weights of version {value['version']!r}; this reads {VERSION}."
            )
        return Ranker(
            forests=tuple(_forest(part) for part in value["forests"]),
            temperature=float(value["temperature"]),
            # Weights that were kept before there were marks have none.
            marks={str(mark): float(w) for mark, w in value.get("marks", {}).items()},
            channels={Channel(name): float(w) for name, w in value["channels"].items()},
            origin=str(value["origin"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"These are no ranker weights of opsmith: {error!r}.") from error


def _plain(values: NDArray[np.float64]) -> list[float]:
    """Numbers for a file: six digits are far below what a split or a leaf knows."""
    if values.dtype.kind == "f":
        return [float(f"{value:.6g}") for value in values]
    return [int(value) for value in values]


def _forest(part: Mapping[str, Sequence[float]]) -> Forest:
    forest = Forest(
        columns=tuple(str(name) for name in part["columns"]),
        roots=np.array(part["roots"], dtype=np.int32),
        column=np.array(part["column"], dtype=np.int32),
        below=np.array(part["below"], dtype=np.float64),
        missing_left=np.array(part["missing_left"], dtype=np.bool_),
        left=np.array(part["left"], dtype=np.int32),
        right=np.array(part["right"], dtype=np.int32),
        value=np.array(part["value"], dtype=np.float64),
    )
    _check(forest)
    return forest


def _check(forest: Forest) -> None:
    """Every step leads further down the arrays, so that no walk runs in a circle."""
    count = len(forest.column)
    inner = np.flatnonzero(forest.column >= 0)
    arrays = (forest.below, forest.missing_left, forest.left, forest.right, forest.value)
    if (
        any(len(array) != count for array in arrays)
        or (forest.column >= len(forest.columns)).any()
        or any((step[inner] <= inner).any() for step in (forest.left, forest.right))
        or any((step[inner] >= count).any() for step in (forest.left, forest.right))
        or ((forest.roots < 0) | (forest.roots >= count)).any()
    ):
        raise BadInput("The trees of these ranker weights do not fit together.")
