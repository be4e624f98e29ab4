"""The lab's supervisor as a way to its shop, by HTTP on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import httpx

from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Value, Values
from opsmith.seams.reach import Found, Reply

# Looking is quick; a restart waits for the process to end.
LOOK_S = 5.0
# The verbs of opsmith by the kind of entity, and what the supervisor calls them.
SERVICE = {
    "service.restart": "restart",
    "service.rollback": "rollback",
    "service.deploy": "deploy",
    "service.limit": "limit",
    "config.set": "configure",
    "config.rollback": "rollback-config",
    "disk.clear": "clear-disk",
}
VERBS: Mapping[EntityKind, Mapping[str, str]] = {
    EntityKind.SERVICE: SERVICE,
    EntityKind.CACHE: {"service.restart": "restart", "cache.flush": "flush"},
    EntityKind.DATABASE: {"service.restart": "restart"},
    EntityKind.QUEUE: {"service.restart": "restart"},
    EntityKind.EDGE: {"service.restart": "restart"},
}


class LabReach:
    """Reaches the entities of the lab that lives in `folder`.

    Its address and its token stand in `lab.json` and are read at each use: a lab may be started
    anew under the same name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client = httpx.AsyncClient(trust_env=False)

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the lab has this entity and can do this to it."""
        if verb not in VERBS.get(target.kind, {}):
            return False
        ends = target.ends or (target.name,)
        try:
            return set(ends) <= set(self._lab()[2])
        except Unreachable:
            return False

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """The state that the verb would change."""
        _word(target, verb)
        state = await self._ask("GET", target, "", {}, LOOK_S)
        settings = state.get("settings")
        facts: dict[str, Value] = {
            name: value
            for name, value in state.items()
            if isinstance(value, str | int | float | bool) and name != "entity"
        }
        if isinstance(settings, dict):
            facts["settings"] = tuple(f"{key}={settings[key]}" for key in sorted(settings))
        if verb == "config.set":
            facts["value"] = _setting(settings, values)
        return Found(version=_version(verb, facts), facts=facts)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Have the supervisor do it."""
        body = _body(verb, values)
        told = await self._ask("POST", target, f"/{_word(target, verb)}", body, deadline_s)
        return Reply(says=str(told.get("did", ""))[:500], facts={})

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(
        self, method: str, target: Entity, path: str, body: Mapping[str, object], within_s: float
    ) -> dict[str, object]:
        port, token, _ = self._lab()
        try:
            answer = await self._client.request(
                method,
                f"http://127.0.0.1:{port}/entities/{quote(str(target), safe='')}{path}",
                headers={"X-Lab-Token": token},
                json=dict(body) if method == "POST" else None,
                timeout=within_s,
            )
            told: object = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(f"The lab did not answer: {type(error).__name__}.") from error
        if not isinstance(told, dict):
            raise BadAnswer("The lab answered no object.")
        if answer.is_success:
            return told
        why = str(told.get("error", answer.status_code))[:300]
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"The lab: {why}")
        raise BadInput(f"The lab: {why}")

    def _lab(self) -> tuple[int, str, tuple[str, ...]]:
        """Port, token and the names of its processes. Raises `Unreachable` without a lab."""
        try:
            told = json.loads((self._folder / "lab.json").read_text(encoding="utf-8"))
            ports = told["ports"]
            return int(ports["supervisor"]), str(told["token"]), tuple(ports)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unreachable("No lab lives in its folder.", hint="opsmith lab up") from error


def _word(target: Entity, verb: str) -> str:
    known = VERBS.get(target.kind, {})
    if verb not in known:
        raise BadInput(f"The lab cannot {verb[:60]} a {target.kind}.")
    return known[verb]


def _body(verb: str, values: Values) -> dict[str, object]:
    if verb == "config.set":
        return {str(values.get("key", "")): str(values.get("value", ""))}
    return dict(values)


def _setting(settings: object, values: Values) -> str:
    key = values.get("key")
    if not isinstance(settings, dict) or key not in settings:
        raise NotFound(f"The service has no setting {str(key)[:60]!r}.")
    return str(settings[key])


def _version(verb: str, facts: Values) -> str:
    """What must be as it was for an approval to count: only what the verb would change."""
    match verb:
        case "service.rollback" | "service.deploy":
            return str(facts.get("version", ""))
        case "config.set" | "config.rollback":
            return hashlib.sha256(repr(facts.get("settings")).encode()).hexdigest()
        case "service.limit":
            return f"{facts.get('cores')} {facts.get('memory_mb')}"
        case "disk.clear":
            return "full"
        case _:
            return str(facts.get("restarts", ""))
