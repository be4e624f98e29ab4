"""Recording: everything that was kept of one incident, as `localise` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Series
from opsmith.nouns.signals import Alert, Change, Logs, Spans
from opsmith.nouns.topology import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, UTC-aware, start included, end not."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something the recording lacks or had to drop, and what that costs the answer.

    part: metrics | alerts | logs | traces | topology | changes | incident | clock.
    """

    part: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What was recorded of one incident. Any part may be empty.

    window: the stretch the alerts speak of; None when nothing has a time.
    reference: fault-free stretches to compare with; empty means "what precedes the onset".
    candidates: who may be blamed; empty means every entity that the evidence names.
    alerting: the entities that people saw suffer (an SLO alert), where the path starts.
    """

    name: str
    window: Window | None = None
    reference: tuple[Window, ...] = ()
    alerting: tuple[Entity, ...] = ()
    candidates: tuple[Entity, ...] = ()
    alerts: tuple[Alert, ...] = ()
    series: tuple[Series, ...] = ()
    spans: Spans | None = None
    logs: Logs | None = None
    changes: tuple[Change, ...] = ()
    topology: Topology = field(default_factory=Topology)
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCheck:
    """What a recording holds of one part: `count` things, called `unit`, between two times.

    first, last: UTC-aware, None where nothing has a time.
    """

    part: str
    count: int
    unit: str
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCheck:
    """What a bundle holds, what in it is wrong, and what was not recorded."""

    name: str
    window: Window | None
    parts: tuple[PartCheck, ...]
    problems: tuple[Missing, ...]
    lacking: tuple[Missing, ...]

    @property
    def usable(self) -> bool:
        """Whether there is any metric, alert, log line or span to investigate."""
        return any(part.count for part in self.parts if part.part in _SIGNALS)


_SIGNALS = frozenset({"metrics", "alerts", "logs", "traces"})
