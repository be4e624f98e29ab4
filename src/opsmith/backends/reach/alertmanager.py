"""Silences of one Alertmanager, each bound to the labels that the targets file gives a target.

Source: prometheus/alertmanager, api/v2/openapi.yaml, `/silences` and `/silence/{silenceID}`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsmith.errors import BadAnswer, BadInput, NotFound
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply, in_time
from opsmith.seams.wire import Answer, Wire

SILENCE = "alert.silence"
UNSILENCE = "alert.unsilence"
VERBS = frozenset({SILENCE, UNSILENCE})
# A silence that outlives the shift of whoever set it is forgotten, and hides the next trouble.
LONGEST_S = 24 * 3600
AUTHOR = "opsmith"
# Stands for every target at once; a silence of it must name the alert.
ALL_ALERTS = Entity(kind=EntityKind.EXTERNAL, name="alertmanager")
NAME_LABEL = "alertname"
_STANDING = frozenset({"active", "pending"})
_ID = re.compile(r"[0-9a-f-]{36}")

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    id: str
    comment: str
    author: str
    ends: str


class SilencesReach:
    """Sets and ends silences. places: the labels that every silence of a target holds.

    clock: UTC-aware.
    """

    def __init__(
        self, places: Mapping[Entity, Labels], *, wire: Wire, clock: Callable[[], datetime]
    ) -> None:
        self._places = dict(places)
        self._wire = wire
        self._clock = clock

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file says by which labels the target's alerts are known."""
        return verb in VERBS and target in self._places

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """The silences that hold exactly these labels now."""
        labels = self._labels(target, verb, values)
        found, firing = await self._standing(labels), await self._firing(labels)
        told = json.dumps([[one.id, one.ends] for one in found])
        return Found(
            version=hashlib.sha256(told.encode()).hexdigest(),
            facts={
                "labels": tuple(f"{name}={value}" for name, value in sorted(labels.items())),
                "silences": tuple(one.id for one in found),
                "comments": tuple(one.comment for one in found),
                "ends": tuple(one.ends for one in found),
                "firing": firing,
            },
        )

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Set the silence with this comment, or end it."""
        labels = self._labels(target, verb, values)
        comment = values.get("comment")
        if not isinstance(comment, str) or not comment:
            raise BadInput("A silence says in its comment what it is for.")
        done = self._set if verb == SILENCE else self._end
        return await in_time(done(labels, comment, values), deadline_s, f"{verb} on {target}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def _set(self, labels: Labels, comment: str, values: Values) -> Reply:
        length = _length(values)
        ours = await self._ours(labels, comment)
        if ours:
            return Reply(says=f"silenced already, until {ours[0].ends}", facts={"id": ours[0].id})
        now = self._clock()
        ends = now + timedelta(seconds=length)
        document = {
            "matchers": [_matcher(name, value) for name, value in sorted(labels.items())],
            "startsAt": now.isoformat(),
            "endsAt": ends.isoformat(),
            "createdBy": AUTHOR,
            "comment": comment,
        }
        answer = await self._wire.send("POST", "api/v2/silences", document)
        made = _json(answer)
        name = made.get("silenceID") if isinstance(made, dict) else None
        if not isinstance(name, str):
            raise BadAnswer("Alertmanager names no silence that it made.")
        return Reply(says=f"silenced until {ends:%Y-%m-%d %H:%M:%S} UTC", facts={"id": name})

    async def _end(self, labels: Labels, comment: str, _: Values) -> Reply:
        ours = await self._ours(labels, comment)
        for one in ours:
            _json(await self._wire.send("DELETE", f"api/v2/silence/{one.id}"))
        return Reply(says=f"ended {len(ours)} silences", facts={"ended": len(ours)})

    async def _ours(self, labels: Labels, comment: str) -> list[_Silence]:
        standing = await self._standing(labels)
        return [one for one in standing if (one.author, one.comment) == (AUTHOR, comment)]

    async def _firing(self, labels: Labels) -> int:
        """How many alerts bear these labels now."""
        wanted = [("filter", f"{name}={json.dumps(value)}") for name, value in labels.items()]
        told = _json(await self._wire.get("api/v2/alerts", wanted))
        if not isinstance(told, list):
            raise BadAnswer("Alertmanager answers no list of alerts.")
        return len(told)

    async def _standing(self, labels: Labels) -> list[_Silence]:
        """Active and pending silences of exactly these labels, by id."""
        told = _json(await self._wire.get("api/v2/silences", ()))
        if not isinstance(told, list):
            raise BadAnswer("Alertmanager answers no list of silences.")
        wanted = sorted(_key(_matcher(name, value)) for name, value in labels.items())
        found = [_silence(one) for one in told if _holds(one, wanted)]
        return sorted(found, key=lambda one: one.id)

    def _labels(self, target: Entity, verb: str, values: Values) -> Labels:
        if verb not in VERBS:
            raise BadInput(f"Alertmanager knows no {verb[:60]!r}.")
        if target not in self._places:
            raise NotFound(f"The targets file names no labels of the alerts of {target}.")
        labels = dict(self._places[target])
        more = values.get("match", ())
        for pair in more if isinstance(more, tuple) else (str(more),):
            name, equals, value = pair.partition("=")
            if not equals or not value:
                raise BadInput(f"{pair[:80]!r} is not LABEL=VALUE.")
            if labels.setdefault(name, value) != value:
                raise BadInput(f"Alerts of {target} have {name}={labels[name]}, not {value[:80]}.")
        if not self._places[target] and NAME_LABEL not in labels:
            raise BadInput(
                "A silence of every alert is never set.", hint=f"Give match={NAME_LABEL}=NAME."
            )
        return labels


def _length(values: Values) -> int:
    length = values.get("for_s")
    if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= LONGEST_S:
        raise BadInput(f"for_s is a number of seconds from 1 to {LONGEST_S}.")
    return length


def _matcher(name: str, value: str) -> dict[str, object]:
    return {"name": name, "value": value, "isRegex": False, "isEqual": True}


def _key(matcher: Mapping[str, object]) -> str:
    parts = [matcher.get("name"), matcher.get("value"), matcher.get("isRegex")]
    return json.dumps([*parts, matcher.get("isEqual", True)])


def _holds(told: object, wanted: list[str]) -> bool:
    """Whether this silence stands and matches exactly what is wanted."""
    if not isinstance(told, dict) or not isinstance(told.get("matchers"), list):
        raise BadAnswer("Alertmanager answers a silence without matchers.")
    status = told.get("status")
    standing = isinstance(status, dict) and status.get("state") in _STANDING
    return standing and sorted(_key(one) for one in told["matchers"]) == wanted


def _silence(told: Mapping[str, object]) -> _Silence:
    if not _ID.fullmatch(str(told.get("id"))):
        raise BadAnswer("Alertmanager answers a silence without an id.")
    return _Silence(
        id=str(told["id"]),
        comment=str(told.get("comment")),
        author=str(told.get("createdBy")),
        ends=str(told.get("endsAt")),
    )


def _json(answer: Answer) -> object:
    """The document of an answer that says yes. Raises `BadAnswer` for any other."""
    if answer.status >= 300:  # noqa: PLR2004 - RFC 9110: 2xx is a yes
        said = answer.content[:200].decode(errors="replace")
        raise BadAnswer(f"Alertmanager refuses (HTTP {answer.status}): {said}")
    try:
        return json.loads(answer.content) if answer.content.strip() else None
    except ValueError as error:
        raise BadAnswer("Alertmanager answers no JSON.") from error
