"""Grouping: which incident an alert belongs to, by time and topology."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import ENDED, Incident, IncidentState, Member
from opsmith.nouns.sign import Sign
from opsmith.nouns.topology import Topology

# An alert may join for this long after the incident last changed: Alertmanager's default
# `group_interval` (5 minutes) is when a group's next message may come at the latest.
JOIN_FOR = timedelta(minutes=5)
# A fault shows at its component, at the callers of that and at theirs; farther apart, two
# alerts at the same time are as likely two incidents.
JOIN_HOPS = 2
# How like a confirmed incident must be to be worth showing (share of common traits).
LIKE = 0.5
MOST_LIKE = 3
# Signs shown with an incident: more are no longer read.
MOST_SIGNS = 40
# A sign may be this much older than the incident it is evidence in: `for:` of common rules is up
# to 15 minutes.
SIGN_FOR = timedelta(minutes=15)

# Alerts named in an incident; of more only the number is kept. No page is read further, and a
# larger one would cost more to write at each change than all its alerts together.
MOST_NAMED = 500

Neighbours = Mapping[Entity, frozenset[Entity]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An incident that alerts may join. entities: whom it is about; grows with a batch."""

    incident: Incident
    entities: set[Entity]


def neighbours(topology: Topology) -> Neighbours:
    """Who is one edge away from whom, whatever the edge and its direction."""
    beside: dict[Entity, set[Entity]] = {entity: set() for entity in topology.entities}
    for edge in topology.edges:
        beside.setdefault(edge.source, set()).add(edge.target)
        beside.setdefault(edge.target, set()).add(edge.source)
    return {entity: frozenset(others) for entity, others in beside.items()}


def places(incidents: Iterable[Incident], *, now: datetime) -> tuple[Place, ...]:
    """The incidents that alerts may join now."""
    return tuple(
        Place(incident=incident, entities=set(incident.entities))
        for incident in incidents
        if incident.state not in ENDED and now - incident.updated_at <= JOIN_FOR
    )


def home(entity: Entity, lively: Iterable[Place], *, beside: Neighbours) -> Incident | None:
    """The incident that an alert about `entity` joins, or None when it opens its own.

    Nearest first, then the one that changed last. An entity that the topology does not know
    joins by time alone: splitting what is one incident costs a reader more than a merge.
    """
    distance = _hops(entity, beside)
    ranked = [
        (_nearest(place.entities, distance, entity, beside), place.incident) for place in lively
    ]
    near = [(hops, incident) for hops, incident in ranked if hops <= JOIN_HOPS]
    if not near:
        return None
    latest = max(incident.updated_at for _, incident in near)
    return min(near, key=lambda pair: (pair[0], latest - pair[1].updated_at))[1]


def near(
    sign: Sign, incidents: Iterable[Incident], *, beside: Neighbours, now: datetime
) -> Incident | None:
    """The incident that a sign is evidence in, or None.

    As for an alert, but that a stranger to the topology is near to itself alone: a sign that
    has nothing to do with an incident would mislead its reader.
    """
    distance = _hops(sign.entity, beside)
    ranked = [
        (min(distance[entity] for entity in incident.entities & distance.keys()), incident)
        for incident in incidents
        if incident.entities & distance.keys()
        and incident.state not in ENDED
        and (incident.firing or now - incident.updated_at <= JOIN_FOR)
    ]
    return min(ranked, key=lambda pair: (pair[0], now - pair[1].updated_at), default=(0, None))[1]


def with_sign(incident: Incident, sign: Sign) -> Incident:
    """The incident with the newest state of a sign; of many the newest are kept."""
    others = [one for one in incident.signs if one.id != sign.id]
    signs = sorted((*others, sign), key=lambda one: (one.at, one.id))
    return replace(incident, signs=tuple(signs[-MOST_SIGNS:]))


def opened(episode: Episode, *, now: datetime) -> Incident:
    """A new incident of one alert; the same alert at the same time has the same id."""
    alert = episode.alert
    seed = f"{alert.fingerprint} {now.isoformat()}".encode()
    return Incident(
        id=f"{now:%Y%m%d-%H%M%S}-{hashlib.sha256(seed).hexdigest()[:6]}",
        state=IncidentState.OPEN,
        title=f"{alert.name} on {alert.entity.name}",
        opened_at=now,
        updated_at=now,
        members=(_member(episode, now),),
    )


def joined(incident: Incident, episodes: Iterable[Episode], *, now: datetime) -> Incident:
    """The incident with the newest states of its alerts, and with new ones while there is room.

    episodes: of each alert the newest one only.
    """
    members = {member.fingerprint: member for member in incident.members}
    for episode in episodes:
        name = episode.alert.fingerprint
        old = members.get(name)
        if old is not None or len(members) < MOST_NAMED:
            members[name] = _member(episode, old.joined_at if old else now)
    named = tuple(sorted(members.values(), key=lambda m: (m.joined_at, m.fingerprint)))
    return settled(replace(incident, members=named, updated_at=now))


def settled(incident: Incident) -> Incident:
    """The incident with the state that its alerts give it; what a person set stays."""
    return incident.with_more(incident.more)


def merged(into: Incident, other: Incident, *, now: datetime) -> tuple[Incident, Incident]:
    """Both incidents after `other` gave its alerts to `into`."""
    known = {member.fingerprint for member in into.members}
    added = tuple(m for m in other.members if m.fingerprint not in known)
    whole = replace(
        into,
        members=tuple(sorted((*into.members, *added), key=lambda m: (m.joined_at, m.fingerprint))),
        opened_at=min(into.opened_at, other.opened_at),
        updated_at=now,
        more=into.more + other.more,
    )
    for sign in other.signs:
        whole = with_sign(whole, sign)
    gone = replace(other, state=IncidentState.MERGED, merged_into=into.id, updated_at=now)
    return settled(whole), gone


def split(
    incident: Incident, fingerprints: frozenset[str], *, now: datetime
) -> tuple[Incident, Incident]:
    """The rest of `incident`, and a new one of the alerts named; both keep at least one."""
    leaving = tuple(m for m in incident.members if m.fingerprint in fingerprints)
    staying = tuple(m for m in incident.members if m.fingerprint not in fingerprints)
    seed = " ".join(sorted(m.fingerprint for m in leaving)).encode()
    new = Incident(
        id=f"{now:%Y%m%d-%H%M%S}-{hashlib.sha256(seed).hexdigest()[:6]}",
        state=IncidentState.OPEN,
        title=f"{leaving[0].name} on {leaving[0].entity.name}",
        opened_at=min(m.joined_at for m in leaving),
        updated_at=now,
        members=leaving,
    )
    return settled(replace(incident, members=staying, updated_at=now)), settled(new)


def similar(incident: Incident, confirmed: Sequence[Incident]) -> tuple[str, ...]:
    """Ids of the confirmed incidents most like this one, likest first, at most three.

    Likeness is the Jaccard index of their traits: alert names, entities, suspected cause.
    Source: Jaccard (1912), The distribution of the flora in the alpine zone.
    """
    mine = _traits(incident)
    ranked = sorted(
        ((_jaccard(mine, _traits(other)), other.id) for other in confirmed if other != incident),
        key=lambda pair: (-pair[0], pair[1]),
    )
    return tuple(name for likeness, name in ranked if likeness >= LIKE)[:MOST_LIKE]


def _member(episode: Episode, joined_at: datetime) -> Member:
    alert = episode.alert
    return Member(
        fingerprint=alert.fingerprint,
        name=alert.name,
        entity=alert.entity,
        severity=alert.severity,
        firing=episode.state is EpisodeState.FIRING,
        joined_at=joined_at,
    )


def _hops(start: Entity, beside: Neighbours) -> dict[Entity, int]:
    """How many edges away each entity within reach is."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        if found[here] < JOIN_HOPS:
            for other in beside.get(here, frozenset()) - found.keys():
                found[other] = found[here] + 1
                queue.append(other)
    return found


def _nearest(
    entities: set[Entity], distance: Mapping[Entity, int], start: Entity, beside: Neighbours
) -> int:
    known = [hops for entity, hops in distance.items() if entity in entities]
    if known:
        return min(known)
    strangers = start not in beside or not any(entity in beside for entity in entities)
    return JOIN_HOPS if strangers else JOIN_HOPS + 1


def _traits(incident: Incident) -> frozenset[str]:
    blame = incident.confirmed or (incident.verdict.blame if incident.verdict else None)
    cause = () if blame is None else (f"cause {blame.entity}", f"kind {blame.kind}")
    alerts = (f"alert {member.name}" for member in incident.members)
    return frozenset((*map(str, incident.entities), *alerts, *cause))


def _jaccard(one: frozenset[str], two: frozenset[str]) -> float:
    return len(one & two) / max(1, len(one | two))
