"""Fitting: labelled incidents in, a ranker out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput
from opsmith.localise.base_rates import BaseRates, learn
from opsmith.localise.channel_weights import fit_weights
from opsmith.localise.diagnose import candidates_of, measure
from opsmith.localise.features import Table, feature_table
from opsmith.localise.fitted import Fitted
from opsmith.localise.marks import fit_marks
from opsmith.localise.ranker import MEASURING, Forest, Ranker, strengths
from opsmith.localise.scene import read_scene
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording

Floats = NDArray[np.float64]
# An incident and who was to blame.
Solved = tuple[Recording, Collection[Entity]]

# Parts of the history that take turns in being unseen.
FOLDS = 8
# Makes the sum of both forests and the marks calibrated on unseen incidents.
REFITTED_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a forest grows."""

    trees: int = 150
    leaves: int
    learning_rate: float = 0.06
    fewest_in_leaf: int
    ridge: float = 5.0
    column_share: float = 0.5


# By cross-validation over the development storms: many systems bear larger trees than one.
GROWTH_OF_MANY = Growth(leaves=15, fewest_in_leaf=20)
GROWTH_OF_ONE = Growth(leaves=7, fewest_in_leaf=10)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """The table of an incident and who was to blame."""

    table: Table
    causes: Collection[Entity]


def refit(history: Sequence[Solved], shipped: Ranker, *, seed: int) -> Fitted:
    """Learn base rates, channel weights, a forest and marks of one's own from solved incidents.

    The forest joins the shipped one; without alert storms there is none, without measurements
    the channel weights stay 1.  Raises `BadInput` when no cause is a candidate in its incident.
    """
    tables = [one for one in unseen_tables(history) if set(one.causes) & set(one.table.entities)]
    if not tables:
        raise BadInput("No solved incident names a cause that is a candidate in its recording.")
    storms = [one for one in tables if one.table.storm]
    # Fewer candidates than two leaves hold cannot be told apart by a tree.
    grows = sum(len(one.table.entities) for one in storms) >= 2 * GROWTH_OF_ONE.fewest_in_leaf
    forests = (fit_forest(storms, GROWTH_OF_ONE, seed=seed),) if grows else ()
    measured = [(strengths(one.table, MEASURING), _is_cause(one)) for one in tables]
    weights = fit_weights(measured, len(MEASURING))
    return Fitted(
        base_rates=learn(history),
        ranker=Ranker(
            channels={
                name: round(float(w), 4) for name, w in zip(MEASURING, weights, strict=True)
            },
            forests=(*shipped.forests, *forests),
            marks=fit_marks([(one.table.marks, _is_cause(one)) for one in storms])
            if forests
            else {},
            temperature=REFITTED_TEMPERATURE if forests else shipped.temperature,
            origin=f"{shipped.origin}; refitted on {len(tables)} solved incidents",
        ),
    )


def unseen_tables(history: Sequence[Solved]) -> list[Labelled]:
    """The tables of solved incidents, each with base rates that never saw it (`FOLDS` folds).

    With rates that had seen the incident, its own alerts would look more usual than those of
    an incident to come, and its nearest case would be itself.
    """
    tables = []
    for fold in range(min(FOLDS, len(history))):
        rates = learn(one for number, one in enumerate(history) if number % FOLDS != fold)
        tables += [labelled(*one, rates) for one in history[fold::FOLDS]]
    return tables


def labelled(recording: Recording, causes: Collection[Entity], rates: BaseRates) -> Labelled:
    """What all channels say of an incident's candidates."""
    scene = read_scene(recording)
    findings = measure(scene, rates)
    table = feature_table(recording, candidates_of(scene, findings), findings, marked=True)
    return Labelled(table=table, causes=causes)


def _is_cause(one: Labelled) -> NDArray[np.bool_]:
    return np.array([entity in one.causes for entity in one.table.entities])


def fit_forest(incidents: Sequence[Labelled], growth: Growth, *, seed: int) -> Forest:
    """A forest that puts the causes first.

    Incidents whose causes are no candidates teach nothing and are left out.
    Raises `BadInput` when none is left.
    """
    import lightgbm  # noqa: PLC0415 - only fitting needs it; half a second and 45 MB to load

    usable = [one for one in incidents if _is_cause(one).any()]
    if not usable:
        raise BadInput("No solved incident names a cause that is a candidate in its recording.")
    columns = tuple(dict.fromkeys(name for one in usable for name in one.table.columns))
    values = np.vstack([one.table.select(columns) for one in usable])
    causes = [_is_cause(one).astype(float) for one in usable]
    shares = np.concatenate([cause / cause.sum() for cause in causes])
    incident = np.repeat(np.arange(len(usable)), [len(cause) for cause in causes])
    booster = lightgbm.train(
        {
            "objective": _softmax_loss(incident, shares),
            "num_leaves": growth.leaves,
            "learning_rate": growth.learning_rate,
            "min_data_in_leaf": growth.fewest_in_leaf,
            "min_sum_hessian_in_leaf": 0.1,
            "lambda_l2": growth.ridge,
            "feature_fraction": growth.column_share,
            "max_bin": 63,
            "seed": seed,
            "deterministic": True,
            "num_threads": 1,
            "verbose": -1,
        },
        lightgbm.Dataset(values, shares, params={"verbose": -1}),
        num_boost_round=growth.trees,
    )
    return _flat(booster.dump_model()["tree_info"], columns)


def _softmax_loss(
    incident: NDArray[np.intp], shares: Floats
) -> Callable[[Floats, object], tuple[Floats, Floats]]:
    """Gradient and curvature of -Σ share log softmax(score) inside each incident."""

    def loss(scores: Floats, _: object) -> tuple[Floats, Floats]:
        chance = softmax(scores, incident)
        return chance - shares, np.maximum(chance * (1 - chance), 1e-6)

    return loss


def softmax(scores: Floats, incident: NDArray[np.intp]) -> Floats:
    """Shares of exp(score) inside each incident; incident: (n,) numbers from 0."""
    top = np.full(int(incident.max()) + 1, -np.inf)
    np.maximum.at(top, incident, scores)
    grown = np.exp(scores - top[incident])
    return np.asarray(grown / np.bincount(incident, grown)[incident])


def _flat(trees: Sequence[Mapping[str, object]], columns: tuple[str, ...]) -> Forest:
    nodes: list[tuple[int, float, bool, int, int, float]] = []
    roots = []
    for tree in trees:
        roots.append(len(nodes))
        _append(tree["tree_structure"], nodes)
    column, below, missing_left, left, right, value = zip(*nodes, strict=True)
    used = sorted({number for number in column if number >= 0})
    place = {number: position for position, number in enumerate(used)} | {-1: -1}
    return Forest(
        columns=tuple(columns[number] for number in used),
        roots=np.array(roots, dtype=np.int32),
        column=np.array([place[number] for number in column], dtype=np.int32),
        below=np.array(below),
        missing_left=np.array(missing_left, dtype=np.bool_),
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        value=np.array(value),
    )


def _append(root: object, nodes: list[tuple[int, float, bool, int, int, float]]) -> None:
    """Add a tree's nodes, parents before children; LightGBM reads NaN as 0 where it saw none."""
    waiting: list[tuple[Mapping[str, object], int, str]] = [(_mapping(root), -1, "")]
    while waiting:
        node, parent, side = waiting.pop(0)
        here = len(nodes)
        if parent >= 0:
            column, below, missing, left, right, value = nodes[parent]
            left, right = (here, right) if side == "left" else (left, here)
            nodes[parent] = (column, below, missing, left, right, value)
        if "leaf_value" in node:
            nodes.append((-1, 0.0, False, here, here, float(str(node["leaf_value"]))))
            continue
        below = float(str(node["threshold"]))
        missing = bool(node["default_left"]) if node["missing_type"] == "NaN" else below >= 0
        nodes.append((int(str(node["split_feature"])), below, missing, -1, -1, 0.0))
        waiting += [(_mapping(node[f"{way}_child"]), here, way) for way in ("left", "right")]


def _mapping(node: object) -> Mapping[str, object]:
    if not isinstance(node, Mapping):
        raise TypeError("LightGBM gave a tree without a root.")
    return node
