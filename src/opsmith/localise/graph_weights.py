"""Graph weights: which metrics set off which alerts, and which signals act together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from opsmith.localise.association import Trigger, togetherness, trigger, words
from opsmith.localise.graph_nodes import Loud
from opsmith.localise.onset import matrix_of
from opsmith.localise.scene import Scene
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import Alert

# The heaviest of each that are kept: more than a person reads about one alert.
TRIGGERS_EACH = 5
PARTNERS_EACH = 5
# Weights below this are chance in most recordings: two bins shared by signals that are active
# in a tenth of an hour have it.
LEAST_TOGETHER = 0.1
# A metric acts while it is this many robust spreads from its level, either way.
ACTING_Z = 3.0
# One minute: the resolution of most alert rules, and some scrapes wide.
BIN_S = 60.0
# Half a day of minutes; a longer recording is cut at its beginning.
MOST_BINS = 720

Beside = Mapping[Entity, Collection[Entity]]
Active = NDArray[np.bool_]


def triggers(
    scene: Scene, suspects: Mapping[str, int], alerts: Sequence[Alert], beside: Beside
) -> Iterator[tuple[str, str, Trigger]]:
    """Metric, alert and weight; for each alert the heaviest of the metrics that are near it.

    suspects: the row of each suspected metric by its id. beside: who is near whom, itself too.
    """
    shifts, series = scene.shifts, scene.recording.series
    if shifts is None:
        return
    spoken = {
        name: words(series[row].name, str(series[row].entity or ""))
        for name, row in suspects.items()
    }
    for alert in alerts:
        about = words(alert.name, alert.metric, str(alert.entity))
        near = beside.get(alert.entity, ())
        began = alert.starts_at.timestamp() if alert.starts_at else float("nan")
        found = [
            (
                name,
                trigger(
                    delay_s=began - float(shifts.onset_s[row]),
                    scrape_s=_scrape_s(series[row].times_s),
                    alert=about,
                    metric=spoken[name],
                ),
            )
            for name, row in suspects.items()
            if series[row].entity in near
        ]
        found.sort(key=lambda pair: (-pair[1].weight, pair[0]))
        for name, weight in found[:TRIGGERS_EACH]:
            yield name, f"alert:{alert.fingerprint}", weight


def correlations(
    scene: Scene, suspects: Mapping[str, int], alerts: Sequence[Alert], loud: Sequence[Loud]
) -> Iterator[tuple[str, str, float, Mapping[str, float]]]:
    """Two signals, the weight of their acting together and its parts; the heaviest of each."""
    span = _span(scene)
    if span is None:
        return
    start_s, bins = span
    rows = {
        **dict(_alerts_act(alerts, start_s, bins)),
        **dict(_metrics_act(scene, suspects, start_s, bins)),
        **dict(_logs_act(scene, loud, start_s, bins)),
    }
    names = sorted(name for name, active in rows.items() if active.any())
    if not names:
        return
    found = togetherness(np.stack([rows[name] for name in names]))
    ranks = np.argsort(np.argsort(-found.weight, axis=1, kind="stable"), axis=1, kind="stable")
    kept = (found.weight >= LEAST_TOGETHER) & ((ranks < PARTNERS_EACH) | (ranks.T < PARTNERS_EACH))
    for a, b in np.argwhere(np.triu(kept, k=1)).tolist():
        parts = {
            "together": float(found.together[a, b]),
            "first": float(found.alone[a]),
            "second": float(found.alone[b]),
            "bins": float(found.bins),
            "npmi": float(found.npmi[a, b]),
        }
        yield names[a], names[b], float(found.weight[a, b]), parts


def as_parts(weight: Trigger) -> dict[str, float]:
    """The parts of a weight of TRIGGERS by their names in the graph."""
    return {"delay_s": weight.delay_s, "decay": weight.decay, "overlap": weight.overlap}


def _scrape_s(times_s: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0


def _span(scene: Scene) -> tuple[float, int] | None:
    """Where the bins begin and how many there are; None when nothing has a time."""
    periods, recording = scene.periods, scene.recording
    if periods is None:
        return None
    firsts = [float(one.times_s[0]) for one in recording.series if len(one.times_s)]
    if recording.logs is not None and len(recording.logs.at_s):
        firsts.append(float(recording.logs.at_s.min()))
    start_s = min([*firsts, periods.earliest_s])
    bins = max(int(np.ceil((periods.end_s - start_s) / BIN_S)), 1)
    if bins > MOST_BINS:
        return periods.end_s - MOST_BINS * BIN_S, MOST_BINS
    return start_s, bins


def _places(times_s: NDArray[np.float64], start_s: float, bins: int) -> NDArray[np.int64]:
    """The bin of each time, -1 outside."""
    places = np.floor((times_s - start_s) / BIN_S).astype(np.int64)
    return np.where((places >= 0) & (places < bins), places, -1)


def _marked(times_s: NDArray[np.float64], start_s: float, bins: int) -> Active:
    active = np.zeros(bins, dtype=np.bool_)
    places = _places(times_s, start_s, bins)
    active[places[places >= 0]] = True
    return active


def _alerts_act(
    alerts: Sequence[Alert], start_s: float, bins: int
) -> Iterator[tuple[str, Active]]:
    end_s = start_s + bins * BIN_S
    for alert in alerts:
        if alert.starts_at is None:
            continue
        last_s = alert.ends_at.timestamp() if alert.ends_at else end_s
        times_s = np.arange(alert.starts_at.timestamp(), max(last_s, start_s), BIN_S)[:MOST_BINS]
        yield f"alert:{alert.fingerprint}", _marked(times_s, start_s, bins)


def _metrics_act(
    scene: Scene, suspects: Mapping[str, int], start_s: float, bins: int
) -> Iterator[tuple[str, Active]]:
    shifts, series = scene.shifts, scene.recording.series
    if shifts is None:
        return
    for name, row in suspects.items():
        one = series[row]
        values = matrix_of([one], one.times_s)[0]
        with np.errstate(invalid="ignore"):
            z = np.abs(values - shifts.before[row]) / shifts.spread[row]
        yield name, _marked(one.times_s[np.nan_to_num(z) >= ACTING_Z], start_s, bins)


def _logs_act(
    scene: Scene, loud: Sequence[Loud], start_s: float, bins: int
) -> Iterator[tuple[str, Active]]:
    logs = scene.recording.logs
    if logs is None:
        return
    for one in loud:
        lines = (logs.entity == one.entity) & (logs.template == one.number)
        yield one.node.id, _marked(logs.at_s[lines], start_s, bins)
