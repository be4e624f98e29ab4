"""Alerts of one service each, as the inbox knows them."""

from __future__ import annotations

from datetime import UTC, datetime

from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def episode(name: str, *, fires: bool = True, began: datetime | None = NEW_YEAR) -> Episode:
    """The alert `name` about the service of the same name."""
    alert = Alert(
        fingerprint=name,
        name="Slow",
        entity=Entity.service(name),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=began,
        ends_at=None if fires else began,
    )
    state = EpisodeState.FIRING if fires else EpisodeState.RESOLVED
    return Episode(alert=alert, state=state, first_seen=NEW_YEAR, turns=(NEW_YEAR,))
