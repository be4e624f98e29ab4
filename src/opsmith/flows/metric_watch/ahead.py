"""Ahead: thresholds in, early warnings out, each with the time it has until it comes true."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from opsmith.errors import BadInput
from opsmith.forecast.breach import straight_line, time_to_breach
from opsmith.forecast.predict import forecast
from opsmith.forecast.words import breach_sentence
from opsmith.ingest import metric_names
from opsmith.ingest.label_rules import describe
from opsmith.nouns.entity import LONGEST_NAME, Entity, EntityKind
from opsmith.nouns.forecast import Breach, Side
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.sign import Sign, SignKind, Threshold
from opsmith.seams.metrics import Metrics

# Fewer points show no course that could be carried on.
FEWEST_POINTS = 20
# Full forecasts a round, nearest threshold first; each costs some 10 ms.
MOST_FORECASTS = 40
# Series of one threshold; a rule over more is no rule for a person.
MOST_SERIES = 500
# So many rounds in a row must say it before it is told, and say otherwise before it ends.
AGREE = 2
FORGET = 3
# A warning is told anew when what is left has changed by more than this share.
MOVED = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far back and ahead one kind of round looks, and how often it is made."""

    history: timedelta
    step: timedelta
    ahead: timedelta
    every: timedelta


# Four hours are what the common rules for disks predict (`predict_linear` in the node mixin);
# what fills faster is seen in the hour before.
FAR = Reach(
    history=timedelta(days=2),
    step=timedelta(minutes=5),
    ahead=timedelta(hours=4),
    every=timedelta(minutes=10),
)
NEAR = Reach(
    history=timedelta(hours=1),
    step=timedelta(seconds=15),
    ahead=timedelta(minutes=20),
    every=timedelta(minutes=1),
)


@dataclass(slots=True, kw_only=True)
class _Doubt:
    """How often in a row a crossing was seen, or not. sign: what was told of it."""

    seen: int = 0
    unseen: int = 0
    sign: Sign | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Course:
    """One series on its way to a threshold. lead_s: where straight lines cross it first."""

    threshold: Threshold
    series: Series
    lead_s: float


class Lookout:
    """Looks ahead round by round. rejected: thresholds that the server would not answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._doubts: dict[str, _Doubt] = {}
        self.rejected: dict[str, str] = {}
        self.passed_over = 0

    def resume(self, signs: Sequence[Sign]) -> None:
        """Remember which warnings stood when opsmith ended."""
        for sign in signs:
            if sign.kind is SignKind.WARNING and sign.stands:
                self._doubts[sign.series] = _Doubt(seen=AGREE, sign=sign)

    async def round(
        self, thresholds: Sequence[Threshold], reach: Reach, *, now: datetime
    ) -> tuple[Sign, ...]:
        """One round over all thresholds: warnings that are new, have moved, or have ended."""
        courses: list[_Course] = []
        for threshold in thresholds:
            courses += await self._courses(threshold, reach, now)
        courses.sort(key=lambda course: course.lead_s)
        self.passed_over = max(0, len(courses) - MOST_FORECASTS)
        found = await asyncio.to_thread(_foreseen, courses[:MOST_FORECASTS], reach)
        return tuple(self._settle(found, reach, now))

    async def _courses(
        self, threshold: Threshold, reach: Reach, now: datetime
    ) -> Sequence[_Course]:
        try:
            series = await self._metrics.query_range(
                threshold.promql, start=now - reach.history, end=now, step=reach.step
            )
        except BadInput as error:  # one rule that cannot be asked costs that rule
            self.rejected[threshold.name] = str(error)
            return ()
        self.rejected.pop(threshold.name, None)
        leads = ((one, _lead_s(one, threshold, reach)) for one in series[:MOST_SERIES])
        return [
            _Course(threshold=threshold, series=one, lead_s=lead)
            for one, lead in leads
            if lead is not None
        ]

    def _settle(
        self, found: Sequence[tuple[_Course, Breach]], reach: Reach, now: datetime
    ) -> Iterator[Sign]:
        """Count what was seen and unseen, and say what follows."""
        seen = {_key(course, reach): (course, breach) for course, breach in found}
        for key, (course, breach) in seen.items():
            doubt = self._doubts.setdefault(key, _Doubt())
            doubt.seen, doubt.unseen = doubt.seen + 1, 0
            if breach.already or doubt.seen < AGREE:
                continue
            sign = _sign(course, breach, key, now)
            if doubt.sign is None or _has_moved(doubt.sign, sign, now):
                doubt.sign = (
                    sign
                    if doubt.sign is None
                    else replace(sign, id=doubt.sign.id, at=doubt.sign.at)
                )
                yield doubt.sign
        yield from self._forgotten(frozenset(seen), reach, now)

    def _forgotten(self, seen: frozenset[str], reach: Reach, now: datetime) -> Iterator[Sign]:
        mine = [key for key in self._doubts if key.startswith(_prefix(reach)) and key not in seen]
        for key in mine:
            doubt = self._doubts[key]
            doubt.seen, doubt.unseen = 0, doubt.unseen + 1
            if doubt.sign is None or doubt.unseen >= FORGET:
                del self._doubts[key]
                if doubt.sign is not None:
                    yield replace(doubt.sign, ended_at=now)


def _lead_s(one: Series, threshold: Threshold, reach: Reach) -> float | None:
    """When a straight line through all or the last quarter crosses; None when it is not near.

    A series that was past the threshold within its history may come back to it without a
    trend: it is worth a forecast too, at the far end.
    """
    known = np.isfinite(one.values)
    times_s, values = one.times_s[known], one.values[known]
    if values.size < FEWEST_POINTS:
        return None
    sign = 1.0 if threshold.side is Side.ABOVE else -1.0
    if sign * (values[-1] - threshold.value) >= 0:
        return 0.0
    ahead_s = reach.ahead.total_seconds()
    if sign * (float((sign * values).max()) * sign - threshold.value) >= 0:
        return ahead_s
    if np.ptp(values) == 0:
        return None
    last = max(FEWEST_POINTS // 2, values.size // 4)
    lines = (
        straight_line(times_s, values, threshold.value),
        straight_line(times_s[-last:], values[-last:], threshold.value),
    )
    leads = [lead for lead in lines if lead is not None and lead <= 2 * ahead_s]
    return min(leads, default=None)


def _foreseen(courses: Sequence[_Course], reach: Reach) -> list[tuple[_Course, Breach]]:
    """Those that will cross within reach, more likely than not."""
    found = []
    for course in courses:
        try:
            breach = _breach(course, reach)
        except BadInput:  # too few values after all
            continue
        if breach.median_s is not None:
            found.append((course, breach))
    return found


def _breach(course: _Course, reach: Reach) -> Breach:
    """When the distance past the threshold rises above 0.

    The distance is forecast, not the value: a value that never was negative is kept from
    becoming so, and a threshold that stands just there would never be crossed.
    """
    threshold = course.threshold
    sign = 1.0 if threshold.side is Side.ABOVE else -1.0
    distance = replace(
        course.series,
        values=sign * (course.series.values - threshold.value),
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
    )
    outlook = forecast(
        distance,
        horizon_s=reach.ahead.total_seconds(),
        without=frozenset(("gaussian process",)),
    )
    breach = time_to_breach(outlook, 0.0, side=Side.ABOVE)
    return replace(breach, threshold=threshold.value, side=threshold.side)


def _sign(course: _Course, breach: Breach, key: str, now: datetime) -> Sign:
    threshold, series = course.threshold, course.series
    name = "".join(mark for mark in threshold.name if mark.isprintable())[:LONGEST_NAME]
    nobody = Entity(kind=EntityKind.EXTERNAL, name=name or "unnamed rule")
    metric = series.name or threshold.promql
    meaning = describe(series.name or _first_word(threshold.promql), dict(series.labels))
    digest = hashlib.sha256(f"{key}@{now.isoformat()}".encode()).hexdigest()[:12]
    aspect = metric_names.aspect(metric)
    return Sign(
        id=digest,
        kind=SignKind.WARNING,
        at=now,
        series=key,
        entity=meaning.part_of or meaning.entity or nobody,
        aspect=aspect if aspect is not Aspect.OTHER else metric_names.aspect(threshold.name),
        claim=f"{name}: {breach_sentence(breach)}",
        score=breach.probability,
        due_at=now + timedelta(seconds=breach.median_s or 0.0),
    )


def _first_word(promql: str) -> str:
    """The first metric of an expression, good enough to tell a host's from a service's."""
    return promql.lstrip("( ").partition("{")[0].split(" ")[0]


def _has_moved(old: Sign, new: Sign, now: datetime) -> bool:
    if old.due_at is None or new.due_at is None:
        return True
    left_s = max(1.0, (old.due_at - now).total_seconds())
    return abs((new.due_at - old.due_at).total_seconds()) > MOVED * left_s


def _prefix(reach: Reach) -> str:
    return f"within {reach.ahead}: "


def _key(course: _Course, reach: Reach) -> str:
    """Names the pair of a threshold and a series in a round of its kind."""
    labels = ",".join(f'{name}="{value}"' for name, value in course.series.labels)
    shown = f"{course.series.name}{{{labels}}}" if labels else course.series.name
    mark = ">" if course.threshold.side is Side.ABOVE else "<"
    what = shown or course.threshold.promql
    return f"{_prefix(reach)}{what} {mark} {course.threshold.value:g} ({course.threshold.name})"
