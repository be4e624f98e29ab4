"""States on the ledger: episodes, incidents, changes, plans and acts, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import TypeAdapter

from opsmith.nouns.anomaly import Label
from opsmith.nouns.episode import Episode
from opsmith.nouns.health import Health
from opsmith.nouns.incident import Incident
from opsmith.nouns.look import Look
from opsmith.nouns.maintenance import Window
from opsmith.nouns.plan import Act, Dossier, Grant, Tried
from opsmith.nouns.record import Entry, Record
from opsmith.nouns.redaction import redact
from opsmith.nouns.remedy import Remedy
from opsmith.nouns.session import Principal
from opsmith.nouns.sign import Sign
from opsmith.nouns.signals import Change

# How much of a message that could not be read is kept.
LONGEST_BEGINNING = 400

ALERT = "alert"
OFFSET = "offset"
SKIPPED = "skipped"
INCIDENT = "incident"
CHANGE = "change"
SIGN = "sign"
LABEL = "label"
MAINTENANCE = "maintenance"
PLAN = "plan"
ACT = "act"
TRIED = "tried"
GRANT = "autonomy"
REMEDY = "remedy"
LOOK = "look"
CHECKED = "check"

_EPISODE: TypeAdapter[Episode] = TypeAdapter(Episode)
_SIGN: TypeAdapter[Sign] = TypeAdapter(Sign)
_WINDOW: TypeAdapter[Window] = TypeAdapter(Window)
_CHANGE: TypeAdapter[Change] = TypeAdapter(Change)
_DOSSIER: TypeAdapter[Dossier] = TypeAdapter(Dossier)
_TRIED: TypeAdapter[Tried] = TypeAdapter(Tried)
_LOOK: TypeAdapter[Look] = TypeAdapter(Look)
_HEALTH: TypeAdapter[Health] = TypeAdapter(Health)
_REMEDY: TypeAdapter[Remedy] = TypeAdapter(Remedy)
_GRANT: TypeAdapter[Grant] = TypeAdapter(Grant)
_ACT: TypeAdapter[Act] = TypeAdapter(Act)
_INCIDENT: TypeAdapter[Incident] = TypeAdapter(Incident)


def of_episode(episode: Episode, *, at: datetime, principal: str = "alertmanager") -> Entry:
    """The entry that makes `episode` the newest state of its alert."""
    body = _EPISODE.dump_json(episode).decode()
    subject = episode.alert.fingerprint
    return Entry(kind=ALERT, subject=subject, body=body, at=at, principal=principal)


def to_episode(record: Record) -> Episode:
    """The episode that `of_episode` wrote."""
    return _EPISODE.validate_json(record.entry.body)


def of_incident(
    incident: Incident, *, at: datetime, principal: str = "opsmith", tenant: str = "default"
) -> Entry:
    """The entry that makes `incident` the newest state of itself."""
    return Entry(
        kind=INCIDENT,
        subject=incident.id,
        body=_INCIDENT.dump_json(incident).decode(),
        at=at,
        principal=principal,
        tenant=tenant,
    )


def to_incident(record: Record) -> Incident:
    """The incident that `of_incident` wrote."""
    return _INCIDENT.validate_json(record.entry.body)


def of_sign(sign: Sign, *, at: datetime) -> Entry:
    """The entry that makes `sign` the newest state of itself."""
    return Entry(kind=SIGN, subject=sign.id, body=_SIGN.dump_json(sign).decode(), at=at)


def to_sign(record: Record) -> Sign:
    """The sign that `of_sign` wrote."""
    return _SIGN.validate_json(record.entry.body)


def of_label(sign: str, said: Label, *, at: datetime, by: Principal) -> Entry:
    """The entry that records what a person said of the sign with this id."""
    return Entry(
        kind=LABEL, subject=sign, body=f'"{said}"', at=at, principal=by.name, tenant=by.tenant
    )


def to_label(record: Record) -> Label:
    """What `of_label` wrote."""
    return Label(record.entry.body.strip('"'))


def of_window(window: Window, *, at: datetime, by: Principal) -> Entry:
    """The entry that makes `window` the newest state of itself."""
    return Entry(
        kind=MAINTENANCE,
        subject=window.id,
        body=_WINDOW.dump_json(window).decode(),
        at=at,
        principal=by.name,
        tenant=by.tenant,
    )


def to_window(record: Record) -> Window:
    """The maintenance window that `of_window` wrote."""
    return _WINDOW.validate_json(record.entry.body)


def of_change(change: Change, *, at: datetime, principal: str = "webhook") -> Entry:
    """The entry that records a change; its subject is what was changed."""
    body = _CHANGE.dump_json(change).decode()
    return Entry(kind=CHANGE, subject=str(change.entity), body=body, at=at, principal=principal)


def to_change(record: Record) -> Change:
    """The change that `of_change` wrote."""
    return _CHANGE.validate_json(record.entry.body)


def of_dossier(dossier: Dossier, *, at: datetime, principal: str) -> Entry:
    """The entry that makes `dossier` the newest state of its plan."""
    plan = dossier.plan
    body = _DOSSIER.dump_json(dossier, fallback=_plain, warnings=False).decode()
    return Entry(
        kind=PLAN, subject=plan.id, body=body, at=at, principal=principal, tenant=plan.tenant
    )


def to_dossier(record: Record) -> Dossier:
    """The dossier that `of_dossier` wrote."""
    return _DOSSIER.validate_json(record.entry.body)


def of_act(act: Act, *, at: datetime, principal: str, tenant: str) -> Entry:
    """The entry that makes `act` the newest state of its step."""
    body = _ACT.dump_json(act, fallback=_plain, warnings=False).decode()
    subject = f"{act.plan}/{act.number}"
    return Entry(kind=ACT, subject=subject, body=body, at=at, principal=principal, tenant=tenant)


def to_act(record: Record) -> Act:
    """The act that `of_act` wrote."""
    return _ACT.validate_json(record.entry.body)


def of_tried(tried: Tried, *, principal: str) -> Entry:
    """The entry that keeps what came of a plan for one class of actions."""
    body = _TRIED.dump_json(tried).decode()
    subject = f"{tried.action} {tried.plan}"
    return Entry(kind=TRIED, subject=subject, body=body, at=tried.at, principal=principal)


def to_tried(record: Record) -> Tried:
    """The trial that `of_tried` wrote."""
    return _TRIED.validate_json(record.entry.body)


def of_remedy(remedy: Remedy) -> Entry:
    """The entry that makes `remedy` the newest answer to its incident."""
    body = _REMEDY.dump_json(remedy).decode()
    return Entry(kind=REMEDY, subject=remedy.incident, body=body, at=remedy.at)


def to_remedy(record: Record) -> Remedy:
    """The remedy that `of_remedy` wrote."""
    return _REMEDY.validate_json(record.entry.body)


def of_look(look: Look) -> Entry:
    """The entry that keeps what an investigation was made from and gave."""
    body = _LOOK.dump_json(look).decode()
    return Entry(kind=LOOK, subject=look.incident, body=body, at=look.at)


def to_look(record: Record) -> Look:
    """The look that `of_look` wrote."""
    return _LOOK.validate_json(record.entry.body)


def of_health(health: Health, *, at: datetime) -> Entry:
    """The entry that makes `health` how its check stands."""
    body = _HEALTH.dump_json(health).decode()
    return Entry(kind=CHECKED, subject=health.name, body=body, at=at)


def to_health(record: Record) -> Health:
    """The health that `of_health` wrote."""
    return _HEALTH.validate_json(record.entry.body)


def of_grant(grant: Grant) -> Entry:
    """The entry that makes `grant` what holds for its class of actions."""
    body = _GRANT.dump_json(grant).decode()
    return Entry(kind=GRANT, subject=grant.action, body=body, at=grant.at, principal=grant.by)


def to_grant(record: Record) -> Grant:
    """The grant that `of_grant` wrote."""
    return _GRANT.validate_json(record.entry.body)


def _plain(value: object) -> object:
    """What pydantic cannot write by itself: the read-only view of a mapping."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def of_offset(place: str, following: int, *, at: datetime) -> Entry:
    """The entry that says at which offset reading a place of a stream goes on."""
    return Entry(kind=OFFSET, subject=place, body=f"{following}", at=at, principal="stream")


def to_offset(record: Record) -> int:
    """The offset that `of_offset` wrote."""
    return int(record.entry.body)


def of_skipped(place: str, body: bytes, why: str, *, at: datetime) -> Entry:
    """The entry that records a message that could not be read: where it is, why, how it begins."""
    begins = redact(body[:LONGEST_BEGINNING].decode(errors="replace"))
    told = {"why": why, "bytes": len(body), "begins": begins}
    text = json.dumps(told, ensure_ascii=False)
    return Entry(kind=SKIPPED, subject=place, body=text, at=at, principal="stream")
