"""detect: samples in, anomalies out; what was learned and told is kept between runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from opsmith.detect.fleet import CODES, THRESHOLD_DEFAULT, Fleet
from opsmith.detect.state import STRICTNESS, Floats
from opsmith.detect.step import ALARM, CODE, OUTAGE, SCORE, WARMING
from opsmith.errors import BadInput, HouseError, NotFound
from opsmith.forecast.intervals import Correction
from opsmith.forecast.live import Followed, followed
from opsmith.nouns.anomaly import TELLING, AlarmRate, Anomaly, Label, Sample, Verdict
from opsmith.nouns.forecast import Forecast
from opsmith.nouns.series import MetricKind, Series
from opsmith.seams.state import StateStore

FLEET, TOLD, LABELS = "detect.fleet", "detect.told", "detect.labels"
CALIBRATION = "detect.calibration"
# So many anomalies can still be labelled.
MOST_TOLD = 10_000
BUDGETS = (0.1, 0.03, 0.01)
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A detector and what it told.

    told: id to (series, score), oldest first. forecasts: by series, those that are followed;
    corrections: by series, how wide their intervals must be, learned from what came.
    """

    fleet: Fleet
    told: dict[str, tuple[str, float]] = field(default_factory=dict)
    forecasts: dict[str, Followed] = field(default_factory=dict)
    corrections: dict[str, Correction] = field(default_factory=dict)


async def open_watch(store: StateStore) -> Watch:
    """The detector as it was left.

    Raises `BadInput` or `HouseError` when what was kept cannot be read.
    """
    fleet = Fleet()
    blob = await store.load(FLEET)
    if blob is not None:
        fleet.restore(blob)
    watch = Watch(fleet=fleet, told=await _told(store), corrections=await _corrections(store))
    for key, strictness in (await _labels(store)).items():
        row = fleet.row(key)
        fleet.state.scalars[row, STRICTNESS] = strictness
    return watch


async def close_watch(store: StateStore, watch: Watch) -> None:
    """Keep what was learned and told."""
    await store.save(FLEET, watch.fleet.to_bytes())
    widths = {key: (one.width80, one.width95) for key, one in watch.corrections.items()}
    await store.save(CALIBRATION, json.dumps(widths).encode())
    kept = dict(list(watch.told.items())[-MOST_TOLD:])
    await store.save(TOLD, json.dumps(kept).encode())


def restart(watch: Watch, keys: Collection[str]) -> None:
    """Begin these series anew, as if none had been seen; their labels and all others stay."""
    fleet, column = watch.fleet, STRICTNESS
    labelled = {
        key: float(fleet.state.scalars[row, column])
        for row, key in enumerate(fleet.keys)
        if key in keys
    }
    fleet.keep([row for row, key in enumerate(fleet.keys) if key not in labelled])
    for key, strictness in labelled.items():
        fleet.state.scalars[fleet.row(key), column] = strictness


def follow(watch: Watch, samples: Iterable[Sample]) -> Iterator[Anomaly]:
    """Take samples one by one; give alarms, their ends and outages as they come."""
    for sample in samples:
        row = watch.fleet.row(sample.series, counter=sample.counter)
        ahead = watch.forecasts.get(sample.series)
        band = None if ahead is None else ahead.band(sample.time_s)
        verdict = watch.fleet.push(row, sample.time_s, sample.value, band)
        if ahead is not None and verdict not in (Verdict.GAP, Verdict.LATE):
            measured = watch.fleet.measured
            watch.forecasts[sample.series] = ahead.observed(sample.time_s, measured)
            watch.corrections[sample.series] = watch.forecasts[sample.series].correction
        if verdict in TELLING:
            yield _noted(watch, watch.fleet.last())


def expect(watch: Watch, forecasts: Mapping[str, Forecast]) -> None:
    """Follow new forecasts from here on, by series key, in place of those before.

    While their samples come through `follow`, the interval of each moves that series' threshold
    by how sure it is, and is itself kept honest; what was learned goes on to the next forecast.
    """
    for key, made in forecasts.items():
        watch.forecasts[key] = followed(made, watch.corrections.get(key))


def replay(watch: Watch, series: Sequence[Series]) -> Iterator[Anomaly]:
    """Take whole series, all at once in order of time; give what `follow` would."""
    rows, samples = _merged(watch.fleet, series)
    wide = np.full((len(rows), 4), np.nan)
    wide[:, :2] = samples
    answers = watch.fleet.take(rows, samples)
    codes = {number for number, verdict in enumerate(CODES) if verdict in TELLING}
    for k in np.flatnonzero(np.isin(answers[:, CODE], list(codes))):
        yield _noted(watch, watch.fleet.told(int(rows[k]), wide[k], answers[k]))


async def label(store: StateStore, anomaly: str, said: Label) -> tuple[str, float]:
    """Remember a person's word on an anomaly.

    Returns the series and the new multiplier of its threshold.
    Raises `NotFound` when no such anomaly was told.
    """
    told = await _told(store)
    if anomaly not in told:
        raise NotFound(
            f"No anomaly {anomaly[:40]!r} was told.", hint="Take an id that `opsmith detect` gave."
        )
    key, score = told[anomaly]
    watch = await open_watch(store)
    multiplier = watch.fleet.label(watch.fleet.row(key), said, score)
    labels = await _labels(store)
    await store.save(LABELS, json.dumps({**labels, key: multiplier}).encode())
    await store.save(FLEET, watch.fleet.to_bytes())
    return key, multiplier


def alarm_rate(series: Sequence[Series]) -> AlarmRate:
    """How loud the shipped detector would have been on these histories.

    Raises `BadInput` when none of them outlasts the warm-up.
    """
    fleet = Fleet()
    rows, samples = _merged(fleet, series)
    answers = fleet.take(rows, samples)
    days = sum(_days(samples[rows == row, 0], answers[rows == row]) for row in range(len(series)))
    if days <= 0:
        raise BadInput("No series outlasts the warm-up.", hint="Give at least 96 points and 1 h.")
    paged = np.isin(answers[:, CODE], (ALARM, OUTAGE))
    counts = np.bincount(rows[paged], minlength=len(fleet.keys))
    loudest = sorted(zip(fleet.keys, counts.tolist(), strict=True), key=lambda one: -one[1])
    return AlarmRate(
        series=len(series),
        days=days,
        alarms=int(paged.sum()),
        threshold=THRESHOLD_DEFAULT,
        loudest=tuple((key, count) for key, count in loudest[:5] if count),
        budgets=tuple((budget, _threshold(rows, samples, budget * days)) for budget in BUDGETS),
    )


def _threshold(rows: NDArray[np.int64], samples: Floats, alarms: float) -> float:
    """The smallest threshold on a grid that gives at most so many alarms."""
    for threshold in np.arange(0.25, 1.0, 0.025):
        fleet = Fleet(threshold=float(threshold))
        for row in range(int(rows.max()) + 1):
            fleet.row(str(row))
        codes = fleet.take(rows, samples)[:, CODE]
        if np.isin(codes, (ALARM, OUTAGE)).sum() <= alarms:
            return float(threshold)
    return 1.0


def _days(times_s: Floats, answers: Floats) -> float:
    warm = np.flatnonzero((answers[:, CODE] != WARMING) & (answers[:, SCORE] > 0))
    return float(times_s[-1] - times_s[warm[0]]) / DAY_S if warm.size else 0.0


def _merged(fleet: Fleet, series: Sequence[Series]) -> tuple[NDArray[np.int64], Floats]:
    """The rows and samples of all series in order of time."""
    rows = [
        np.full(one.times_s.size, fleet.row(one.key, counter=one.kind is MetricKind.COUNTER))
        for one in series
    ]
    samples = [np.stack((one.times_s, one.values), axis=1) for one in series]
    row = np.concatenate([*rows, np.zeros(0, np.int64)])
    sample = np.concatenate([*samples, np.zeros((0, 2))])
    order = np.argsort(sample[:, 0], kind="stable")
    return row[order], sample[order]


def _noted(watch: Watch, anomaly: Anomaly) -> Anomaly:
    watch.told[anomaly.id] = (anomaly.series, anomaly.score)
    return anomaly


async def _told(store: StateStore) -> dict[str, tuple[str, float]]:
    read = await _object(store, TOLD)
    return {
        name: (str(pair[0]), float(pair[1]))
        for name, pair in read.items()
        if isinstance(pair, list)
    }


async def _labels(store: StateStore) -> dict[str, float]:
    read = await _object(store, LABELS)
    return {key: float(one) for key, one in read.items() if isinstance(one, int | float)}


async def _corrections(store: StateStore) -> dict[str, Correction]:
    read = await _object(store, CALIBRATION)
    return {
        key: Correction(width80=float(pair[0]), width95=float(pair[1]))
        for key, pair in read.items()
        if isinstance(pair, list)
    }


async def _object(store: StateStore, name: str) -> dict[str, object]:
    blob = await store.load(name)
    if blob is None:
        return {}
    try:
        read: object = json.loads(blob)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise HouseError(f"The state {name} is damaged.", hint="Remove it to start fresh.")
    return read
