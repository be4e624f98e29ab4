"""Anomaly: what a detector says of one sample, and what a person said of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What one sample came to.

    QUIET: nothing odd. WARMING: too little is known to page. ALARM: odd enough to tell a person.
    OUTAGE: an alarm while still warming, three points in a row 20 deviations away.
    HELD: as odd as an alarm, but no odder than one of the last day. CALM: the alarm is over.
    NEW_NORMAL: the alarm is over because the series now lives elsewhere. GAP: not a number.
    LATE: not newer than the sample before; left out.
    """

    QUIET = "quiet"
    WARMING = "warming"
    ALARM = "alarm"
    OUTAGE = "outage"
    HELD = "held"
    CALM = "calm"
    NEW_NORMAL = "new_normal"
    GAP = "gap"
    LATE = "late"


PAGING = frozenset((Verdict.ALARM, Verdict.OUTAGE))
TELLING = PAGING | {Verdict.CALM, Verdict.NEW_NORMAL}


class Label(StrEnum):
    """What a person says of an anomaly."""

    TRUE = "true"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """What a detector says of one sample.

    id: names this anomaly in `anomaly label`; at: UTC-aware; series: the series' key.
    value: the sample (a counter's rate a second); expected, low, high: the one-step prediction
    with its 99 % interval, None before there is one.
    score, threshold: 0 to 1, share of the largest surprise that the history allows.
    views: how much each view contributed, largest first, by name; claim: one sentence.
    """

    id: str
    series: str
    at: datetime
    verdict: Verdict
    value: float
    score: float
    threshold: float
    expected: float | None
    low: float | None
    high: float | None
    views: tuple[tuple[str, float], ...]
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one series as it streams in. time_s: Unix seconds; counter: it only rises."""

    series: str
    time_s: float
    value: float
    counter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRate:
    """How loud the detector would have been on somebody's history.

    days: series-days past warming; alarms: at the threshold now; loudest: (series, alarms),
    most first; budgets: (alarms a series-day, the threshold that would keep to it).
    """

    series: int
    days: float
    alarms: int
    threshold: float
    loudest: tuple[tuple[str, int], ...]
    budgets: tuple[tuple[float, float], ...]
