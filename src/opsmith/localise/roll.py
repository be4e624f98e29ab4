"""The roll of incidents: which stand, which alert is in which, where a batch of alerts goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from opsmith.localise.grouping import Neighbours, Place, home, joined, opened, places
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import ENDED, Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """An incident after a batch. beyond: fingerprints of what fires in it and is not named."""

    incident: Incident
    beyond: frozenset[str] = frozenset()


class Roll:
    """Every incident by its id, and the incident of every alert by its fingerprint."""

    def __init__(self) -> None:
        self._all: dict[str, Incident] = {}
        self._live: dict[str, Incident] = {}
        self._holder: dict[str, str] = {}
        self._beyond: dict[str, frozenset[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> Incident:
        return self._all[name]

    @property
    def every(self) -> tuple[Incident, ...]:
        """All incidents, ended ones too."""
        return tuple(self._all.values())

    @property
    def live(self) -> tuple[Incident, ...]:
        """Those that have not ended."""
        return tuple(self._live.values())

    def beyond(self, name: str) -> frozenset[str]:
        """What fires in an incident and is not named in it."""
        return self._beyond.get(name, frozenset())

    def holder(self, fingerprint: str) -> Incident | None:
        """The incident that an alert is in, the latest of several."""
        return self._all.get(self._holder.get(fingerprint, ""))

    def enter(self, incident: Incident, beyond: frozenset[str] | None = None) -> None:
        """Make this the newest state of the incident. beyond: None leaves it as it was."""
        self._all[incident.id] = incident
        new = (beyond or frozenset()) - self.beyond(incident.id)
        if beyond is not None:
            self._beyond[incident.id] = beyond
        if incident.state in ENDED:
            self._live.pop(incident.id, None)
        else:
            self._live[incident.id] = incident
        if incident.merged_into is not None:
            self._hand_over(incident.id, incident.merged_into)
            return
        names = {member.fingerprint for member in incident.members}
        for name in names | new:
            if self._may_hold(incident, name):
                self._holder[name] = incident.id

    def _hand_over(self, name: str, into: str) -> None:
        """Give what is beyond the names of a merged incident to the one that took its alerts."""
        moved = self._beyond.pop(name, frozenset())
        self._beyond[into] = self.beyond(into) | moved
        self._holder.update(dict.fromkeys(moved, into))

    def _may_hold(self, incident: Incident, name: str) -> bool:
        """An incident that has ended takes no alert from one that stands, nor from its next."""
        other = self._live.get(self._holder.get(name, ""))
        return other is None or (incident.state not in ENDED and other.after != incident.id)

    def placed(
        self, episodes: Sequence[Episode], *, beside: Neighbours, now: datetime
    ) -> tuple[Grown, ...]:
        """The incidents that a batch of changed alerts opens or changes.

        One that ended and was never seen changes none. The roll itself stays as it is.
        """
        batch = _Batch(self, beside=beside, now=now)
        for episode in episodes:
            batch.add(episode)
        return batch.grown()


class _Batch:
    """Where the alerts of one batch go, each looked up once."""

    def __init__(self, roll: Roll, *, beside: Neighbours, now: datetime) -> None:
        self._roll = roll
        self._beside = beside
        self._now = now
        self._places = {place.incident.id: place for place in places(roll.live, now=now)}
        self._homes: dict[Entity, str | None] = {}
        self._went: dict[str, str] = {}
        self._opened: dict[str, Incident] = {}
        self._joining: dict[str, list[Episode]] = {}

    def add(self, episode: Episode) -> None:
        """Find the incident of one alert, or open one."""
        fires = episode.state is EpisodeState.FIRING
        fingerprint = episode.alert.fingerprint
        name = self._went.get(fingerprint) or self._held_by(fingerprint, fires=fires)
        if name is None and not fires:
            return
        name = name or self._home(episode)
        self._went[fingerprint] = name
        self._joining.setdefault(name, []).append(episode)
        if (place := self._places.get(name)) is not None:
            place.entities.add(episode.alert.entity)

    def _held_by(self, fingerprint: str, *, fires: bool) -> str | None:
        holder = self._roll.holder(fingerprint)
        return None if holder is None or (fires and holder.state in ENDED) else holder.id

    def _home(self, episode: Episode) -> str:
        entity = episode.alert.entity
        name = self._homes.get(entity)
        if name is None:
            found = home(entity, self._places.values(), beside=self._beside)
            name = found.id if found is not None else self._open(episode)
            self._homes[entity] = name
        return name

    def _open(self, episode: Episode) -> str:
        new = opened(episode, now=self._now)
        self._opened[new.id] = new
        self._places[new.id] = Place(incident=new, entities=set(new.entities))
        return new.id

    def grown(self) -> tuple[Grown, ...]:
        """What came of the whole batch."""
        return tuple(self._grow(name, episodes) for name, episodes in self._joining.items())

    def _grow(self, name: str, episodes: Iterable[Episode]) -> Grown:
        before = self._opened.get(name) or self._roll[name]
        newest = {episode.alert.fingerprint: episode for episode in episodes}
        whole = joined(before, tuple(newest.values()), now=self._now)
        named = {member.fingerprint for member in whole.members}
        outside = {n: e for n, e in newest.items() if n not in named}
        fires = {n for n, e in outside.items() if e.state is EpisodeState.FIRING}
        beyond = (self._roll.beyond(name) - outside.keys()) | fires
        return Grown(incident=whole.with_more(len(beyond)), beyond=frozenset(beyond))
