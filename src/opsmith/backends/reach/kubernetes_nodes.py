"""Nodes: closed to new pods, emptied within the budgets of what runs there, and opened again.

Sources: `kubectl drain`, whose rules on which pods stay, move or stop it these are; Kubernetes,
"API-initiated Eviction" (429 while a PodDisruptionBudget has none to give).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from opsmith.backends.reach.kubernetes_api import (
    POD,
    ClusterApi,
    Kind,
    Ops,
    Told,
    fields_of,
    items,
    text_of,
)
from opsmith.backends.reach.kubernetes_objects import pinned
from opsmith.errors import BadAnswer, BadInput, Conflict
from opsmith.nouns.plan import Values
from opsmith.nouns.task import Risk
from opsmith.seams.reach import Found, Reply

DRAIN = "kubernetes.drain"
CORDON = "kubernetes.cordon"
UNCORDON = "kubernetes.uncordon"
OF_NODES = frozenset({DRAIN, CORDON, UNCORDON})
NODE = Kind(group="", version="v1", plural="nodes", name="Node", places=False)
# As long as a rollout may take: what waits for a budget waits for pods that start elsewhere.
DRAIN_WITHIN_S = 600
MIRROR = "kubernetes.io/config.mirror"
# A write of somebody else between our look and our patch; a node's status is written often.
TRIES = 5
_TOLD = 5
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(slots=True, kw_only=True)
class Pods:
    """The pods of a node by what a drain does about them. left: they stay. lost: with data."""

    moved: list[Told] = field(default_factory=list)
    ending: list[Told] = field(default_factory=list)
    left: list[Told] = field(default_factory=list)
    lost: list[Told] = field(default_factory=list)
    unmanaged: list[Told] = field(default_factory=list)

    @property
    def there(self) -> list[Told]:
        """Whatever must be gone before the node is empty."""
        return [*self.moved, *self.ending, *self.lost, *self.unmanaged]


class Node:
    """One node of one cluster. every_s: how often it is looked at while it empties."""

    def __init__(self, api: ClusterApi, name: str, *, every_s: float) -> None:
        self._api = api
        self._name = name
        self._every_s = every_s

    async def look(self, verb: str, values: Values) -> Found:
        """What the verb would meet, rehearsed by the API server."""
        node = await self._node()
        closed = _is_closed(node)
        await self._patch(node, closed=verb != UNCORDON, rehearse=True)
        facts: dict[str, str | bool] = {"was_closed": closed}
        if verb != DRAIN:
            says = f"node {self._name}: {_state(closed)} -> {_state(verb == CORDON)} to new pods"
            return Found(version=_version(node), facts={**facts, "says": says})
        pods = await self._pods()
        _check_may_go(pods, values, self._name)
        await self._check_room()
        held = await self._rehearsed(pods)
        lost = [*pods.lost, *pods.unmanaged]
        digest = hashlib.sha256(" ".join(sorted(map(_uid, lost))).encode()).hexdigest()[:16]
        facts["says"] = _drain_told(self._name, pods, held)
        facts["risk"] = str(Risk.DESTRUCTIVE)
        return Found(version=f"{_version(node)} {digest}", facts=facts)

    async def send(self, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Close, open or empty the node. Raises `Conflict` when it is not what was seen."""
        seen = str(values.get("seen", ""))
        node = await self._node()
        if seen and seen.split(maxsplit=1)[0] != _version(node).split()[0]:
            raise Conflict(f"Node {self._name} is another than the one that was seen.")
        wanted = verb != UNCORDON
        if verb != DRAIN:
            if _is_closed(node) == wanted:
                says = f"node {self._name} is {_state(wanted)} to new pods already"
                return Reply(says=says, facts={})
            await self._turn(closed=wanted)
            return Reply(says=f"node {self._name} is {_state(wanted)} to new pods", facts={})
        await self._turn(closed=True)
        within = values.get("timeout_s", DRAIN_WITHIN_S)
        limit = min(float(within if isinstance(within, int) else DRAIN_WITHIN_S), deadline_s)
        return await self._emptied(values, limit)

    async def check(self, verb: str) -> Found:
        """Whether the node is closed and empty, closed, or open."""
        node = await self._node()
        closed = _is_closed(node)
        there = (await self._pods()).there if verb == DRAIN else []
        holds = closed == (verb != UNCORDON) and not there
        says = f"node {self._name} is {_state(closed)} to new pods"
        if verb == DRAIN:
            says += f", {len(there)} pods are still to go" if there else ", and empty"
        return Found(version=_version(node), facts={"holds": holds, "says": says})

    async def undo(self, values: Values) -> Reply:
        """Open or close it as it was; pods that moved stay where they are."""
        was = values.get("was_closed") is True
        await self._turn(closed=was)
        return Reply(says=f"node {self._name} is {_state(was)} to new pods again", facts={})

    async def _node(self) -> Told:
        return await self._api.get(NODE, "", self._name)

    async def _patch(self, node: Told, *, closed: bool, rehearse: bool = False) -> None:
        ops: Ops = [{"op": "add", "path": "/spec/unschedulable", "value": closed}]
        await self._api.patch(NODE, "", self._name, pinned(node, ops), rehearse=rehearse)

    async def _turn(self, *, closed: bool) -> None:
        """Close or open it; a write of its status by somebody else in between is no conflict."""
        for _ in range(TRIES):
            node = await self._node()
            if _is_closed(node) == closed:
                return
            try:
                await self._patch(node, closed=closed)
            except Conflict:
                continue
            return
        raise Conflict(f"Node {self._name} is written by others all the time; try again.")

    async def _pods(self) -> Pods:
        found = Pods()
        for one in await self._api.listed(POD, fields=f"spec.nodeName={self._name}"):
            _sorted_into(found, one).append(one)
        return found

    async def _check_room(self) -> None:
        """Some other node must be ready for what moves; where it has room is its scheduler's."""
        others = [one for one in await self._api.listed(NODE) if _name(one) != self._name]
        if not any(_is_ready(one) and not _is_closed(one) for one in others):
            raise BadInput(f"No other node is ready to take what runs on {self._name}.")

    async def _rehearsed(self, pods: Pods) -> list[str]:
        """What would not move at once, and which budget says so."""
        held = []
        for one in (*pods.moved, *pods.lost, *pods.unmanaged):
            why, _ = await self._api.evict(one, rehearse=True)
            if why:
                held.append(f"{_name(one)}: {why}")
        return held

    async def _emptied(self, values: Values, limit_s: float) -> Reply:
        """Ask every pod to go, again and again where a budget holds it, until none is there."""
        began, moved = monotonic(), set[str]()
        while True:
            pods = await self._pods()
            _check_may_go(pods, values, self._name)
            if not pods.there:
                says = f"node {self._name} is closed and empty, {len(moved)} pods moved"
                return Reply(says=says, facts={"moved": len(moved)})
            held, wait_s = await self._asked_to_go(pods, moved, values)
            if monotonic() - began > limit_s:
                why = f"; {held[0]}" if held else ""
                raise BadAnswer(
                    f"After {limit_s:g} s {len(pods.there)} pods are still on {self._name}:"
                    f" {_names(pods.there)}{why}."
                )
            await asyncio.sleep(max(self._every_s, min(wait_s, limit_s)))

    async def _asked_to_go(
        self, pods: Pods, moved: set[str], values: Values
    ) -> tuple[list[str], float]:
        """(what a budget holds for now, how long the server wants us to wait)."""
        grace, held, longest_s = values.get("grace_s"), [], 0.0
        for one in (*pods.moved, *pods.lost, *pods.unmanaged):
            why, wait_s = await self._api.evict(
                one, grace_s=grace if isinstance(grace, int) else None
            )
            if why:
                held.append(f"{_name(one)}: {why}")
                longest_s = max(longest_s, wait_s)
            else:
                moved.add(_uid(one))
        return held, longest_s


def _sorted_into(pods: Pods, pod: Told) -> list[Told]:
    """Which of the lists a pod belongs to."""
    meta = fields_of(pod, "metadata")
    owner = next((one for one in items(meta.get("ownerReferences")) if one.get("controller")), {})
    if MIRROR in fields_of(meta, "annotations") or owner.get("kind") == "DaemonSet":
        return pods.left
    if meta.get("deletionTimestamp"):
        return pods.ending
    if fields_of(pod, "status").get("phase") in _ENDED:
        return pods.moved
    if not owner:
        return pods.unmanaged
    volumes = items(fields_of(pod, "spec").get("volumes"))
    return pods.lost if any("emptyDir" in one for one in volumes) else pods.moved


def _check_may_go(pods: Pods, values: Values, node: str) -> None:
    """Pods that lose something go only when the order says so."""
    if pods.lost and values.get("delete_local_data") is not True:
        raise BadInput(
            f"Pods on {node} keep data in an emptyDir, which is lost: {_names(pods.lost)}.",
            hint="Say delete_local_data=true if it may be.",
        )
    if pods.unmanaged and values.get("delete_unmanaged") is not True:
        raise BadInput(
            f"Nobody makes these pods on {node} anew: {_names(pods.unmanaged)}.",
            hint="Say delete_unmanaged=true if they may be lost.",
        )


def _drain_told(node: str, pods: Pods, held: Sequence[str]) -> str:
    says = f"close node {node} and move {len(pods.there)} pods"
    if pods.there:
        says += f" ({_names(pods.there)})"
    if pods.left:
        says += f"; {len(pods.left)} of DaemonSets or the node itself stay"
    if pods.lost:
        says += f"; data of {_names(pods.lost)} is lost for good"
    if pods.unmanaged:
        says += f"; {_names(pods.unmanaged)} do not come back"
    if held:
        says += f"; {len(held)} wait for their disruption budget now, such as {held[0]}"
    return says


def _version(node: Told) -> str:
    return f"{_uid(node)} {_state(_is_closed(node))}"


def _is_closed(node: Told) -> bool:
    return fields_of(node, "spec").get("unschedulable") is True


def _is_ready(node: Told) -> bool:
    conditions = items(fields_of(node, "status").get("conditions"))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _state(closed: bool) -> str:  # noqa: FBT001 - a word for a yes or no
    return "closed" if closed else "open"


def _name(told: Told) -> str:
    return text_of(fields_of(told, "metadata").get("name"))


def _uid(told: Told) -> str:
    return text_of(fields_of(told, "metadata").get("uid"))


def _names(pods: Sequence[Told]) -> str:
    names = ", ".join(
        f"{text_of(fields_of(one, 'metadata').get('namespace'))}/{_name(one)}"
        for one in pods[:_TOLD]
    )
    more = f" and {len(pods) - _TOLD} more" if len(pods) > _TOLD else ""
    return names + more
