"""Trivial and published rankings of the same recordings, to compare with.

Each takes a recording and gives its candidates, likeliest first; ties by name, an unmentioned
candidate last.  A ranking that needs what a recording lacks says nothing (an empty list).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import MetricKind, Series
from opsmith.nouns.signals import AlertSource
from opsmith.nouns.topology import EdgeKind

Ranking = list[Entity]
Baseline = Callable[[Recording], Ranking]
Deviation = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

# 1 / Phi^-1(3/4): makes the MAD estimate sigma for Gaussian data.
MAD_TO_SIGMA = 1.4826
# PageRank as in Brin & Page (1998): share of walks that go on, and enough steps to settle.
DAMPING, STEPS = 0.85, 50
# Deepest-in-graph counts an entity as ill from here on, in robust sigma.
ILL = 3.0


def by_score(recording: Recording, scores: Mapping[Entity, float]) -> Ranking:
    """Candidates by falling score, ties by name; nothing when no score is above 0."""
    if not any(scores.get(entity, 0.0) > 0 for entity in recording.candidates):
        return []
    return sorted(recording.candidates, key=lambda entity: (-scores.get(entity, 0.0), entity))


def random_order(recording: Recording) -> Ranking:
    """A fixed shuffle that depends on the incident's name alone."""

    def lot(entity: Entity) -> str:
        return hashlib.sha256(f"{recording.name}|{entity}".encode()).hexdigest()

    return sorted(recording.candidates, key=lot)


def alert_count(recording: Recording) -> Ranking:
    """Most alerts first."""
    return by_score(recording, _counted(alert.entity for alert in recording.alerts))


def metric_alert_count(recording: Recording) -> Ranking:
    """Most alerts on metrics first."""
    named = (one.entity for one in recording.alerts if one.source is AlertSource.METRIC)
    return by_score(recording, _counted(named))


def callee_count(recording: Recording) -> Ranking:
    """Most often the called side of an alert first."""
    called = (one.entity for one in recording.alerts if one.caller not in {None, one.entity})
    return by_score(recording, _counted(called))


def first_alert(recording: Recording) -> Ranking:
    """Earliest alert first; nothing when no alert has a time."""
    first: dict[Entity, float] = {}
    for alert in recording.alerts:
        if alert.starts_at is not None:
            at = alert.starts_at.timestamp()
            first[alert.entity] = min(at, first.get(alert.entity, math.inf))
    last = max(first.values(), default=0.0)
    return by_score(recording, {entity: 1.0 + last - at for entity, at in first.items()})


def pagerank(recording: Recording) -> Ranking:
    """Walks along alerting calls and the topology, caller to callee, started at the alerts."""
    links: dict[Entity, list[Entity]] = defaultdict(list)
    for alert in recording.alerts:
        if alert.caller is not None and alert.caller != alert.entity:
            links[alert.caller].append(alert.entity)
    for edge in recording.topology.edges:
        links[edge.source].append(edge.target)
    start = _counted(alert.entity for alert in recording.alerts)
    total = sum(start.values())
    rank = dict(start)
    for _ in range(STEPS if total else 0):
        fresh = {entity: (1 - DAMPING) * share / total for entity, share in start.items()}
        for entity, share in rank.items():
            for target in links.get(entity, ()):
                fresh[target] = fresh.get(target, 0.0) + DAMPING * share / len(links[entity])
        rank = fresh
    return by_score(recording, rank)


def loudest_robust_z(recording: Recording) -> Ranking:
    """Largest distance from the median in robust sigma, over all series of an entity."""
    return by_score(recording, _deviations(recording, robust_z))


def n_sigma(recording: Recording) -> Ranking:
    """Largest distance from the mean in standard deviations (Li et al., N-sigma)."""
    return by_score(recording, _deviations(recording, plain_z))


def deepest(recording: Recording) -> Ranking:
    """The ill entity farthest from where people suffer, along calls."""
    calls = [edge for edge in recording.topology.edges if edge.kind is EdgeKind.CALLS]
    depth = dict.fromkeys(recording.alerting or (), 1.0)
    frontier = set(depth)
    while frontier:
        frontier = {e.target for e in calls if e.source in frontier and e.target not in depth}
        depth |= dict.fromkeys(frontier, 1.0 + max(depth.values()))
    scores = _deviations(recording, robust_z) or _counted(a.entity for a in recording.alerts)
    ill = {entity for entity, score in scores.items() if score >= ILL}
    return by_score(recording, {entity: depth.get(entity, 0.5) for entity in ill})


BASELINES: Mapping[str, Baseline] = {
    "random": random_order,
    "loudest robust z": loudest_robust_z,
    "n-sigma": n_sigma,
    "alert count": alert_count,
    "metric alert count": metric_alert_count,
    "callee count": callee_count,
    "first alert": first_alert,
    "pagerank": pagerank,
    "deepest in graph": deepest,
}


def robust_z(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Largest |value - median| in robust sigma of what was before."""
    centre = float(np.median(before))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(before - centre)))
    return float(np.max(np.abs(after - centre))) / max(spread, 1e-9 + 0.01 * abs(centre))


def plain_z(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Largest |value - mean| in standard deviations of what was before."""
    spread = float(np.std(before))
    return float(np.max(np.abs(after - np.mean(before)))) / max(spread, 1e-9)


def _counted(entities: Iterable[Entity]) -> dict[Entity, float]:
    return {entity: float(count) for entity, count in Counter(entities).items()}


def _deviations(recording: Recording, deviation: Deviation) -> dict[Entity, float]:
    found: dict[Entity, float] = {}
    if recording.window is None:
        return found
    reference, window = _split(recording)
    for series in recording.series:
        if series.entity is None:
            continue
        before, after = series_values(series, reference), series_values(series, window)
        if len(before) > 1 and len(after):
            found[series.entity] = max(found.get(series.entity, 0.0), deviation(before, after))
    return found


def _split(recording: Recording) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    return recording.reference, (recording.window,) if recording.window else ()


def series_values(series: Series, windows: Iterable[Window]) -> NDArray[np.float64]:
    """The finite values inside some windows; a counter's rises instead of its values."""
    times, values = series.times_s, series.values
    if series.kind is MetricKind.COUNTER:
        times, values = times[1:], np.maximum(np.diff(values), 0.0)
    chosen = values[_inside(times, windows)]
    return np.asarray(chosen[np.isfinite(chosen)])


def samples(series: Series, windows: Iterable[Window]) -> dict[float, float]:
    """The samples inside some windows by their time in Unix seconds, gaps left in."""
    inside = _inside(series.times_s, windows)
    return dict(zip(series.times_s[inside].tolist(), series.values[inside].tolist(), strict=True))


def _inside(times_s: NDArray[np.float64], windows: Iterable[Window]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times_s), dtype=bool)
    for window in windows:
        inside |= (times_s >= window.start.timestamp()) & (times_s < window.end.timestamp())
    return inside
