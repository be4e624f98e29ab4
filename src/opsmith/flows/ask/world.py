"""World: what the owners of tasks may look at, handed in by the wiring."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from opsmith.answer.catalogue import MetricCatalogue
from opsmith.answer.words import Speech
from opsmith.execute.action import ActionSpec
from opsmith.nouns.anomaly import Anomaly
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.forecast import Outlook
from opsmith.nouns.log_line import LogQuery, LogsFound
from opsmith.nouns.plan import Check, Denied, Dossier, Order, Outcome
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Series
from opsmith.nouns.session import Role
from opsmith.nouns.topology import Topology
from opsmith.plan.ordering import Ground
from opsmith.seams.ledger import Readable
from opsmith.seams.metrics import Metrics
from opsmith.seams.repository import Repository


class Foresee(Protocol):
    """Forecasts one series."""

    async def __call__(
        self, series: Series, /, *, horizon: timedelta, threshold: float | None
    ) -> Outlook:
        """The outlook. Raises `BadInput` when the history is too short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streets:
    """What other flows do, for owners that need it.

    detect: what a fresh detector tells of whole series. drawn: a forecast in characters.
    diagnose: the cause in a recording.
    gather: write what is known now as a bundle into a folder; what could not be had, in words.
    search: records of live logs, None where a recording is asked.
    """

    foresee: Foresee
    drawn: Callable[[Outlook, int], str]
    detect: Callable[[Sequence[Series]], tuple[Anomaly, ...]]
    diagnose: Callable[[Recording], Diagnosis]
    gather: Callable[[Path], Awaitable[tuple[str, ...]]]
    search: Callable[[LogQuery], Awaitable[LogsFound]] | None = None


class Propose(Protocol):
    """Has change control rehearse and judge a plan, and keep it."""

    async def __call__(
        self, orders: tuple[Order, ...], checks: tuple[Check, ...], /, *, why: str
    ) -> Dossier:
        """The plan as it stands now. Raises what change control raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Change control as a question sees it, in the name of whoever asks.

    spec: of an action by its name. run: carries a plan out, if everything lets it through.
    approvers: patterns of the roles that may say yes. watched: whether what a check asks is the
    server that the question was answered from. configured: whether any target is named at all.
    """

    role: Role
    ground: Ground
    spec: Callable[[str], ActionSpec]
    propose: Propose
    run: Callable[[str], Awaitable[Outcome | Denied]]
    approvers: Callable[[], tuple[str, ...]]
    watched: bool
    configured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The world as one question sees it.

    now: UTC-aware; the end of the recording when one is asked. source: its name, for evidence.
    clock: the time it is in truth. begin: when the first sample is from, None for unknown.
    step_s: how far apart samples are, seconds.
    topology: as far as it is known. columns: how wide plots may be.
    asked: the sentence, secrets redacted. changes: None where nothing can be changed.
    """

    now: datetime
    clock: datetime
    speech: Speech
    source: str
    catalogue: MetricCatalogue
    streets: Streets
    metrics: Metrics | None = None
    step_s: float = 15.0
    begin: datetime | None = None
    recording: Recording | None = None
    topology: Topology = field(default_factory=Topology)
    ledger: Readable | None = None
    repository: Repository | None = None
    columns: int = 80
    asked: str = ""
    changes: Changes | None = None
