"""Clock: the wall clock beside one that only counts, so that a jump is seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

# How far the two may drift apart and still be believed; NTP slews half a millisecond a second
# (ntpd's limit of 500 ppm), which makes 0.3 s in the ten minutes of an approval.
SLACK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One reading of both.

    now: UTC-aware. boot: names the run of the machine. offset_s: wall clock minus time since
    boot, seconds; constant while nobody sets the clock.
    """

    now: datetime
    boot: str
    offset_s: float

    def __str__(self) -> str:
        return f"{self.boot} {self.offset_s:.3f}"

    def jumped_since(self, then: str) -> bool:
        """Whether the clock was set since `then` (another reading, as text).

        Over a restart of the machine nothing can be said, and False is.
        """
        boot, _, offset = then.partition(" ")
        if boot != self.boot:
            return False
        try:
            return abs(float(offset) - self.offset_s) > SLACK.total_seconds()
        except ValueError:
            return True
