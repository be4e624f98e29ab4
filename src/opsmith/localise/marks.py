"""Marks: which alerts rang where around a candidate, by name; what a user's own past can weigh.

Columns of a table name nobody, so that their weights can be shipped.  A system's own solved
incidents say more: this metric on the host of the culprit, that call between it and its cache.
Each distinct alert marks every candidate that it rang on or beside, once by the relation alone
and, where it rang on the candidate itself, once more by the candidate's name.
The weights are those of a conditional logit over the candidates of each incident with a Gaussian
prior around 0, narrower for marks that name somebody: few incidents move them little, and what
one entity shows is first taken for what any would show (a hierarchical shrinkage).
Source: McFadden (1974), Conditional logit analysis of qualitative choice behavior.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.alerts import storm_of
from opsmith.localise.base_rates import metric_of, signature_of
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import Alert
from opsmith.nouns.topology import Edge, EdgeKind, Topology

Floats = NDArray[np.float64]
Marks = Mapping[str, float]
# By cross-validation over the development storms; flat between 1 and 10.
PRIOR = 3.0
PRIOR_OF_NAMED = 10.0
# The name of somebody stands in front of a mark behind this sign.
NAMED = "@"
# So many solved incidents let the marks count half; fewer teach less about single alerts.
HALF_TAUGHT = 25.0
# A smaller weight moves no ranking.
LEAST_WEIGHT = 0.005

_SELF = "self"


def marks_of(recording: Recording, candidates: Sequence[Entity]) -> tuple[Marks, ...]:
    """The marks of each candidate, with 1 for one alert of a sort and 1 + log n for n of it."""
    around = _around(recording.topology, candidates)
    counts: dict[Entity, Counter[str]] = {one: Counter() for one in candidates}
    for alert in {signature_of(alert): alert for alert in storm_of(recording)}.values():
        near = around.get(alert.entity, {})
        if alert.caller in {None, alert.entity}:
            for one, where in near.items():
                _mark(counts[one], one, f"{where}|{metric_of(alert)}", own=where == _SELF)
        else:
            _mark_call(counts, alert, near, around.get(alert.caller, {}))
    return tuple(
        {mark: 1.0 + math.log(number) for mark, number in counts[one].items()}
        | {f"type|{one.kind}": 1.0, f"{NAMED}{one}": 1.0}
        for one in candidates
    )


def mark_scores(marks: Sequence[Marks], weights: Marks) -> Floats:
    """What weighed marks add to each candidate, (candidates,), in log odds."""
    return np.array(
        [sum(weights.get(mark, 0.0) * value for mark, value in own.items()) for own in marks]
    )


def fit_marks(incidents: Sequence[tuple[Sequence[Marks], NDArray[np.bool_]]]) -> dict[str, float]:
    """Weights of marks from incidents: the marks of the candidates, and which are causes.

    They are multiplied by n / (n + `HALF_TAUGHT`) for n incidents that name a cause.
    """
    from scipy import sparse  # noqa: PLC0415 - only fitting needs it, and it takes 0.1 s to load
    from scipy.optimize import minimize  # noqa: PLC0415 - as above

    usable = [(marks, causes) for marks, causes in incidents if causes.any()]
    number: dict[str, int] = {}
    rows = [own for marks, _ in usable for own in marks]
    places = [number.setdefault(mark, len(number)) for own in rows for mark in own]
    ends = np.cumsum([0, *map(len, rows)])
    values = np.array([value for own in rows for value in own.values()])
    matrix = sparse.csr_matrix((values, places, ends), shape=(len(rows), len(number)))
    shares = np.concatenate([causes / causes.sum() for _, causes in usable])
    incident = np.repeat(np.arange(len(usable)), [len(causes) for _, causes in usable])
    prior = np.array([PRIOR_OF_NAMED if NAMED in mark else PRIOR for mark in number])

    def loss(weights: Floats) -> tuple[float, Floats]:
        logs = _log_softmax(matrix @ weights, incident)
        slope = matrix.T @ (np.exp(logs) - shares) + prior * weights
        return float(0.5 * (prior * weights**2).sum() - (shares * logs).sum()), slope

    found = minimize(loss, np.zeros(len(number)), jac=True, method="L-BFGS-B").x
    found *= len(usable) / (len(usable) + HALF_TAUGHT)
    return {
        mark: round(float(found[place]), 4)
        for mark, place in number.items()
        if abs(found[place]) >= LEAST_WEIGHT
    }


def _log_softmax(scores: Floats, incident: NDArray[np.intp]) -> Floats:
    top = np.full(int(incident.max()) + 1, -np.inf)
    np.maximum.at(top, incident, scores)
    centred = scores - top[incident]
    return np.asarray(centred - np.log(np.bincount(incident, np.exp(centred)))[incident])


def _mark(counts: Counter[str], one: Entity, mark: str, *, own: bool) -> None:
    counts[mark] += 1
    if own:
        counts[f"{NAMED}{one}|{mark}"] += 1


def _mark_call(
    counts: Mapping[Entity, Counter[str]],
    alert: Alert,
    callee: Mapping[Entity, str],
    caller: Mapping[Entity, str],
) -> None:
    """Mark by both ends of a call; who stands at one end is marked by the other end's name too."""
    for one in callee.keys() | caller.keys():
        ends = (callee.get(one, ""), caller.get(one, ""))
        mark = f"{ends[0]}<-{ends[1]}|{metric_of(alert)}"
        _mark(counts[one], one, mark, own=_SELF in ends)
        if _SELF in ends:
            counts[one][f"{NAMED}{one}|{mark}|{alert.entity}<-{alert.caller}"] += 1


def _around(topology: Topology, candidates: Sequence[Entity]) -> dict[Entity, dict[Entity, str]]:
    """For each entity the candidates that it stands beside, and as what: the closest relation."""
    wanted = set(candidates)
    pairs = [(one, one, _SELF) for one in candidates]
    inside: dict[Entity, list[Entity]] = defaultdict(list)
    for edge in _edges(topology, EdgeKind.INSTANCE_OF):
        inside[edge.target].append(edge.source)
        pairs.append((edge.target, edge.source, "service"))
        pairs.append((edge.source, edge.target, "instance"))
    for parts in inside.values():
        pairs += [(one, other, "sibling") for one in parts for other in parts if one != other]
    for edge in _edges(topology, EdgeKind.RUNS_ON):
        pairs += [(edge.target, edge.source, "host"), (edge.source, edge.target, "hosted")]
    for edge in _edges(topology, EdgeKind.CALLS):
        pairs += [(edge.target, edge.source, "callee"), (edge.source, edge.target, "caller")]
    around: dict[Entity, dict[Entity, str]] = defaultdict(dict)
    for entity, one, where in pairs:
        if one in wanted:
            around[entity].setdefault(one, where)
    return around


def _edges(topology: Topology, kind: EdgeKind) -> list[Edge]:
    return [edge for edge in topology.edges if edge.kind is kind]
