"""Episodes on the ledger: written as entries, read back from records."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, cast

import orjson

from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.record import Entry, Record
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction

KIND = "alert"


class _Line(TypedDict):
    fingerprint: str
    name: str
    entity: str
    source: str
    aspect: str
    direction: str
    metric: str
    severity: str
    starts_at: str | None
    ends_at: str | None
    caller: str | None
    count: int
    labels: list[list[str]]
    annotations: list[list[str]]
    state: str
    first_seen: str
    turns: list[str]
    round: int


def to_entry(episode: Episode, *, at: datetime, principal: str = "alertmanager") -> Entry:
    """The entry that makes `episode` the newest state of its alert."""
    alert = episode.alert
    line = _Line(
        fingerprint=alert.fingerprint,
        name=alert.name,
        entity=str(alert.entity),
        source=alert.source,
        aspect=alert.aspect,
        direction=alert.direction,
        metric=alert.metric,
        severity=alert.severity,
        starts_at=_text(alert.starts_at),
        ends_at=_text(alert.ends_at),
        caller=None if alert.caller is None else str(alert.caller),
        count=alert.count,
        labels=[list(pair) for pair in alert.labels],
        annotations=[list(pair) for pair in alert.annotations],
        state=episode.state,
        first_seen=episode.first_seen.isoformat(),
        turns=[turn.isoformat() for turn in episode.turns],
        round=episode.round,
    )
    return Entry(
        kind=KIND,
        subject=alert.fingerprint,
        body=orjson.dumps(line).decode(),
        at=at,
        principal=principal,
    )


def from_record(record: Record) -> Episode:
    """The episode that `to_entry` wrote; the ledger is ours, so its shape is trusted."""
    line = cast(_Line, orjson.loads(record.entry.body))
    alert = Alert(
        fingerprint=line["fingerprint"],
        name=line["name"],
        entity=Entity.parse(line["entity"]),
        source=AlertSource(line["source"]),
        aspect=Aspect(line["aspect"]),
        direction=Direction(line["direction"]),
        metric=line["metric"],
        severity=line["severity"],
        starts_at=_time(line["starts_at"]),
        ends_at=_time(line["ends_at"]),
        caller=None if line["caller"] is None else Entity.parse(line["caller"]),
        count=line["count"],
        labels=tuple((name, value) for name, value in line["labels"]),
        annotations=tuple((name, value) for name, value in line["annotations"]),
    )
    return Episode(
        alert=alert,
        state=EpisodeState(line["state"]),
        first_seen=datetime.fromisoformat(line["first_seen"]),
        turns=tuple(map(datetime.fromisoformat, line["turns"])),
        round=line["round"],
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
