"""Episode: one alert's life from firing to resolved, and its coming back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from opsmith.nouns.signals import Alert

# An alert that changed its state this often within this time is flapping: two full rounds
# of firing and resolved inside the quarter of an hour that people take to look.
FLAPS = 4
FLAP_WINDOW = timedelta(minutes=15)


class EpisodeState(StrEnum):
    """What an alert is doing now."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """The newest state of one alert (its fingerprint says which).

    turns: when its state changed of late, oldest first, at most `FLAPS` of them, UTC-aware.
    round: how many times it has fired, from 1. first_seen: when it reached us.
    """

    alert: Alert
    state: EpisodeState
    first_seen: datetime
    turns: tuple[datetime, ...]
    round: int = 1

    @property
    def flapping(self) -> bool:
        """Whether it changes so often that a message a change would be noise."""
        return len(self.turns) >= FLAPS and self.turns[-1] - self.turns[0] <= FLAP_WINDOW


def advance(known: Episode | None, alert: Alert, *, now: datetime) -> Episode | None:
    """What the arrival of `alert` makes of the episode `known`; None when it changes nothing.

    A repeat of the same start is nothing new. A later start is a new round, also when the
    resolved message in between never came. A resolved message of an earlier round, or of
    this round again, is old news. Firing again with the same start after resolved is a new
    round too: the sender restarted and its alert outlived the silence.
    """
    state = EpisodeState.FIRING if alert.ends_at is None else EpisodeState.RESOLVED
    if known is None:
        return Episode(alert=alert, state=state, first_seen=now, turns=(now,))
    if _is_older(alert, known.alert):
        return None
    again = alert.starts_at == known.alert.starts_at
    if again and state is known.state:
        return None
    refired = state is EpisodeState.FIRING or not again
    return replace(
        known,
        alert=alert,
        state=state,
        turns=(*known.turns, now)[-FLAPS:],
        round=known.round + 1 if refired else known.round,
    )


def _is_older(alert: Alert, than: Alert) -> bool:
    if alert.starts_at is None or than.starts_at is None:
        return False
    return alert.starts_at < than.starts_at
