"""Parting: whether alerts that joined an incident later are of another fault, and what then.

A cause explains what came after its onset, so one that began after an incident had recovered
explains none of it; nor does one that began after all its earlier alerts had come and whose way
shares nothing with theirs. Everything else stays together: a split costs a reader more.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from opsmith.localise.grouping import settled
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Incident, IncidentState, Verdict


def is_apart(
    incident: Incident, late: frozenset[str], found: Verdict, *, calm_at: datetime | None
) -> bool:
    """Whether the alerts `late` (fingerprints) are of another fault than the incident's verdict.

    found: what a look at these alone gave. calm_at: when nothing of it fired any more, last.
    """
    first = incident.verdict
    if first is None or not (_is_sure(first) and _is_sure(found)) or found.onset is None:
        return False
    if first.blame == found.blame:
        return False
    if calm_at is not None and found.onset > calm_at:
        return True
    earlier = [m.joined_at for m in incident.members if m.fingerprint not in late]
    began_after = bool(earlier) and found.onset > max(earlier)
    return began_after and not _way(first) & _way(found)


def parted(
    incident: Incident, late: frozenset[str], found: Verdict, *, now: datetime
) -> tuple[Incident, Incident]:
    """The incident as it was without the alerts `late`, and a new one of these, after it.

    An alert that fires in both rounds is named in both; in the first it has ended.
    """
    leaving = tuple(m for m in incident.members if m.fingerprint in late)
    known_at = incident.verdict.found_at if incident.verdict else now
    staying = tuple(
        replace(m, firing=False) if m.fingerprint in late else m
        for m in incident.members
        if m.fingerprint not in late or m.joined_at <= known_at
    )
    seed = " ".join((incident.id, now.isoformat(), *sorted(late))).encode()
    new = Incident(
        id=f"{now:%Y%m%d-%H%M%S}-{hashlib.sha256(seed).hexdigest()[:6]}",
        state=IncidentState.OPEN,
        title=f"{leaving[0].name} on {leaving[0].entity.name}",
        opened_at=now,
        updated_at=now,
        members=tuple(replace(m, joined_at=now) for m in leaving),
        verdict=found,
        after=incident.id,
    )
    return settled(replace(incident, members=staying, updated_at=now)), settled(new)


def _is_sure(verdict: Verdict) -> bool:
    return verdict.status is Status.DIAGNOSED and verdict.blame is not None


def _way(verdict: Verdict) -> frozenset[Entity]:
    """The cause and whom it reached, but for the last: that is who suffers, from whatever."""
    blamed = (verdict.blame.entity,) if verdict.blame else ()
    return frozenset((*blamed, *verdict.path[:-1]))
