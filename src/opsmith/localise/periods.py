"""Periods: which moments count as the incident and which as fault-free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from opsmith.nouns.recording import Recording, Window

# The alert's time is off by up to a minute as often as not: five of six dated code faults of
# the development incidents were active 32 to 61 s before their nominal time.
LEAD_S = 60.0
# Candidate onsets lie this far apart (published constants: 0, 30 and 60 s before the alarm),
# further where there would be more than so many.
ONSET_STEP_S = 30.0
MOST_ONSETS = 7

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periods:
    """The incident's stretch and the fault-free ones, in Unix seconds.

    start_s, end_s: the recorded incident; alarm_s: when somebody first noticed it.
    reference: (m, 2), starts and ends; empty means everything before the incident's lead.
    lead_s: how much earlier than announced the incident may have begun.
    """

    start_s: float
    end_s: float
    alarm_s: float
    reference: NDArray[np.float64]
    lead_s: float = LEAD_S

    @property
    def earliest_s(self) -> float:
        """The earliest moment that may belong to the incident."""
        return self.start_s - self.lead_s

    def onsets_s(self) -> tuple[float, ...]:
        """Candidate moments at which the fault may have begun, evenly up to the alarm."""
        steps = int((self.alarm_s - self.earliest_s) / ONSET_STEP_S)
        count = max(min(steps, MOST_ONSETS - 1), 1)
        return tuple(np.linspace(self.earliest_s, self.alarm_s, count + 1).tolist())

    def incident(self, times_s: Vector) -> Mask:
        """Which moments lie in the incident, lead included."""
        return (times_s >= self.earliest_s) & (times_s < self.end_s)

    def unalarmed(self, times_s: Vector) -> Mask:
        """Which moments of the incident precede the alarm by more than the lead."""
        return self.incident(times_s) & (times_s < self.alarm_s - self.lead_s)

    def fault_free(self, times_s: Vector) -> Mask:
        """Which moments lie in a fault-free stretch and not in the incident."""
        if not len(self.reference):
            return np.asarray(times_s < self.earliest_s)
        inside = np.zeros(times_s.shape, dtype=np.bool_)
        for start_s, end_s in self.reference:
            inside |= (times_s >= start_s) & (times_s < end_s)
        return inside & ~self.incident(times_s)


def read_periods(recording: Recording) -> Periods | None:
    """Read the periods off a recording; None when nothing in it has a time.

    The alarm is the earliest alert inside the window on an entity that people saw suffer, or
    on any when none is named; without such an alert, the window's start.
    """
    window = recording.window
    if window is None:
        return None
    start_s, end_s = bounds(window)
    heard = [
        alert.starts_at.timestamp()
        for alert in recording.alerts
        if alert.starts_at is not None
        and (not recording.alerting or alert.entity in recording.alerting)
    ]
    return Periods(
        start_s=start_s,
        end_s=end_s,
        alarm_s=min((at for at in heard if start_s <= at < end_s), default=start_s),
        reference=np.array([bounds(one) for one in recording.reference]).reshape(-1, 2),
    )


def bounds(window: Window) -> tuple[float, float]:
    """Start and end in Unix seconds."""
    return window.start.timestamp(), window.end.timestamp()


def moment(at_s: float) -> datetime | None:
    """Unix seconds as a UTC time; None for NaN."""
    return datetime.fromtimestamp(at_s, tz=UTC) if np.isfinite(at_s) else None
