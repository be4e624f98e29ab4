"""Clusters reached by their API: workloads by their names in configured namespaces, and nodes.

An order names a target; which cluster, namespace and object that is stands in the targets file,
or is the one object of the target's name in the namespaces that the file opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opsmith.backends.reach import kubernetes_traffic as traffic
from opsmith.backends.reach.kubernetes_access import IN_NAMESPACES, ON_NODES, rights_told
from opsmith.backends.reach.kubernetes_api import ClusterApi, fields_of
from opsmith.backends.reach.kubernetes_nodes import OF_NODES, Node
from opsmith.backends.reach.kubernetes_objects import (
    Workload,
    current,
    pinned,
    progress,
    revisions,
    version_of,
    waiting,
)
from opsmith.backends.reach.kubernetes_owners import owner_of, source_of
from opsmith.backends.reach.kubernetes_patch import belongs, patch_text, write
from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace, Places
from opsmith.backends.reach.kubernetes_traffic import SHIFT, Traffic
from opsmith.backends.reach.kubernetes_workloads import (
    AUTOSCALE,
    LIMITS,
    RESTART,
    ROLLBACK,
    SCALE,
    Change,
    Site,
    autoscaler_of,
    bounds_of,
    change,
    name_of,
    take_back,
)
from opsmith.errors import BadAnswer, BadInput, Conflict
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Value, Values
from opsmith.seams.reach import Found, Reply, in_time

CHECK = "kubernetes.check"
UNDO = "kubernetes.undo"
PATCH = "kubernetes.patch"
STATUS = "kubernetes.status"
ACCESS = "kubernetes.access"
OF_WORKLOADS = frozenset({SCALE, RESTART, ROLLBACK, LIMITS, AUTOSCALE, SHIFT, PATCH, STATUS})
OF_BOTH = frozenset({CHECK, UNDO, ACCESS})
# Changes after which pods are replaced, or come and go.
_ROLLS = frozenset({SCALE, RESTART, ROLLBACK, LIMITS})
# What a number is worked out from; sent twice, it would be done twice.
_RELATIVE = frozenset({"by", "percent", "memory_percent", "max_percent"})
# A write of the status between our look and our patch is no change of what is meant.
TRIES = 5
EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """What an order meets. change: what it would make of it."""

    api: ClusterApi
    workload: Workload | None
    traffic: Traffic | None
    change: Change
    manifest: Path | None

    @property
    def version(self) -> str:
        """Of the object that is changed, and of the workload that it is for."""
        told = [one.told for one in (self.workload, self.traffic) if one is not None]
        parts = [version_of(one) for one in told]
        if all(self.change.on is not one for one in told):
            # An autoscaler: some servers give it no generation.
            parts.append(f"{name_of(self.change.on)} {bounds_of(self.change.on)}")
        return " ".join(parts)


def leads(places: Places, target: Entity, verb: str) -> bool:
    """Whether the places tell what a target is, and the verb is one of its kind."""
    known = OF_NODES if target.kind is EntityKind.HOST else OF_WORKLOADS
    return verb in known | OF_BOTH and places.knows(target)


class KubernetesReach:
    """Reaches workloads and nodes of clusters. clock: UTC-aware. patches: where they are written.

    every_s: how often a rollout is looked at while it is waited for.
    """

    def __init__(
        self,
        clusters: Mapping[str, ClusterPlace],
        *,
        places: Mapping[Entity, ObjectPlace],
        clock: Callable[[], datetime],
        patches: Path,
        every_s: float = EVERY_S,
    ) -> None:
        self._places = Places(clusters, places)
        self._clock = clock
        self._patches = patches
        self._every_s = every_s

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file says what it is, or where it may be found."""
        return leads(self._places, target, verb)

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """What is there and what the verb would do, rehearsed by the API server."""
        self._check_verb(target, verb)
        if verb == ACCESS:
            return Found(version="the rights of the account", facts={})
        if target.kind is EntityKind.HOST:
            node = self._node(target)
            if verb == CHECK:
                return await node.check(str(values.get("of")))
            return await node.look(verb, values)
        if verb == CHECK:
            return await self._checked(target, values)
        if verb == STATUS:
            at = await self._places.workload(target, values)
            return Found(version=at.workload.version, facts={})
        return await self._looked(target, verb, values)

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Do it and wait until the cluster has followed; `Conflict` for another version."""
        self._check_verb(target, verb)
        work = self._sent(target, verb, values, deadline_s)
        return await in_time(work, deadline_s, f"{verb} on {target}")

    async def aclose(self) -> None:
        """Close the connections."""
        for api in self._places.apis.values():
            await api.aclose()

    def _node(self, target: Entity) -> Node:
        api, name = self._places.node(target)
        return Node(api, name, every_s=self._every_s)

    def _check_verb(self, target: Entity, verb: str) -> None:
        known = OF_NODES if target.kind is EntityKind.HOST else OF_WORKLOADS
        if verb not in known | OF_BOTH:
            raise BadInput(f"Clusters know no {verb[:60]!r} of {target}.")

    async def _sent(self, target: Entity, verb: str, values: Values, deadline_s: float) -> Reply:
        if verb == ACCESS:
            return await self._access(target, values)
        if target.kind is EntityKind.HOST:
            node = self._node(target)
            if verb == UNDO:
                return await node.undo(values)
            return await node.send(verb, values, deadline_s=deadline_s)
        if verb == STATUS:
            return await self._status(target, values)
        if verb == PATCH:
            return await self._patched(target, values)
        return await self._changed(target, verb, values)

    async def _looked(self, target: Entity, verb: str, values: Values) -> Found:
        inner = _changes(verb, values)
        met = await self._met(target, inner, values)
        made, owner = met.change, owner_of(met.change.on)
        if verb == PATCH:
            kept = f"{owner} keeps it, so a live change would not last: " if owner else ""
            says = f"{kept}a patch, with nothing live changed: {made.says}"
            return Found(version=met.version, facts={"says": says})
        if owner is None:
            await self._patch(met, rehearse=True)
        facts: dict[str, Value] = {
            **made.before,
            **_pins(met),
            "says": made.says,
            "risk": str(made.risk),
            "irreversible": made.irreversible,
        }
        return Found(version=met.version, facts=facts, owner=str(owner) if owner else "")

    async def _changed(self, target: Entity, verb: str, values: Values) -> Reply:
        """Patch what was seen, and wait; what is so already is not done again."""
        inner = _changes(verb, values)
        if _RELATIVE & values.keys() and verb != UNDO and "seen" not in values:
            raise BadInput("By how much more is worked out from what was seen; say what that is.")
        for _ in range(TRIES):
            met = await self._met(target, inner, values, back=verb == UNDO)
            if met.change.already:
                break
            self._check_same(target, met, values)
            try:
                await self._patch(met)
            except Conflict:
                continue
            break
        else:
            raise Conflict(f"{target} is written by others all the time; nothing was forced.")
        says = f"{'as it is already: ' if met.change.already else ''}{met.change.says}"
        # A number that is put back is back, whatever else keeps the rollout from its end.
        if inner in _ROLLS and (verb, inner) != (UNDO, SCALE):
            await self._followed(target, values)
        elif inner == SHIFT and verb != UNDO:
            await self._shifted(target, values)
        return Reply(says=says, facts={})

    def _check_same(self, target: Entity, met: _Met, values: Values) -> None:
        if values.get("seen", met.version) != met.version:
            raise Conflict(f"{target} has changed since it was looked at; nothing was done.")
        owner = owner_of(met.change.on)
        if owner is not None:
            raise Conflict(f"{target} is kept by {owner}; give it a patch (`{PATCH}`).")

    async def _patch(self, met: _Met, *, rehearse: bool = False) -> None:
        made = met.change
        meta = fields_of(made.on, "metadata")
        await met.api.patch(
            made.kind,
            str(meta.get("namespace", "")),
            str(meta.get("name", "")),
            pinned(made.on, made.ops),
            sub=made.sub,
            rehearse=rehearse,
        )

    async def _followed(self, target: Entity, values: Values) -> None:
        """Wait until the rollout is done; in_time ends it. Raises `BadAnswer` when it is stuck."""
        while True:
            at = await self._places.workload(target, values)
            now = progress(at.workload)
            if now.stuck:
                why = await waiting(at.api, at.workload)
                raise BadAnswer(f"{at.workload}: {now.says}{f' ({why})' if why else ''}.")
            if now.done:
                return
            await asyncio.sleep(self._every_s)

    async def _shifted(self, target: Entity, values: Values) -> None:
        """Wait until the weights are in force: a Rollout's controller takes a moment to follow."""
        while True:
            found = await self._checked(target, {**values, "of": SHIFT})
            if found.facts["holds"]:
                return
            await asyncio.sleep(self._every_s)

    async def _checked(self, target: Entity, values: Values) -> Found:
        """Whether what was ordered is so, and the pods have followed."""
        inner = _changes(CHECK, values)
        met = await self._met(target, inner, values)
        if met.traffic is not None:
            holds, says = traffic.check(met.traffic, values)
            return Found(version=met.version, facts={"holds": holds, "says": says})
        holds, says = met.change.already, "it is as ordered"
        if not holds:
            says = f"it is not as ordered: {met.change.says}"
        elif met.workload is not None and inner in _ROLLS:
            now = progress(met.workload)
            holds, says = now.done, now.says
        return Found(version=met.version, facts={"holds": holds, "says": says})

    async def _patched(self, target: Entity, values: Values) -> Reply:
        met = await self._met(target, _changes(PATCH, values), values)
        if values.get("seen", met.version) != met.version:
            raise Conflict(f"{target} has changed since it was looked at; no patch was written.")
        owner = owner_of(met.change.on)
        source = await source_of(met.api, owner) if owner else ""
        text = patch_text(met.change, owner, source=source, manifest=met.manifest)
        file = await asyncio.to_thread(write, self._patches, text)
        where = belongs(owner, source, met.manifest, met.change.kind)
        return Reply(says=f"wrote {file}; {where}", facts={"file": str(file)})

    async def _status(self, target: Entity, values: Values) -> Reply:
        at = await self._places.workload(target, values)
        api, workload = at.api, at.workload
        kept = await revisions(api, workload)
        now, owner = current(workload, kept), owner_of(workload.told)
        scaler = await autoscaler_of(api, workload)
        lines = [
            f"{workload}: {progress(workload).says}",
            *(
                f"{'* ' if one is now else '  '}revision {one.number}: {one.images}"
                for one in kept[:10]
            ),
        ]
        if scaler is not None:
            least, most = bounds_of(scaler)
            lines.append(f"autoscaler {name_of(scaler)} chooses {least} to {most} replicas")
        lines.append(f"kept by {owner}" if owner else "kept by nobody but people")
        return Reply(says="\n".join(lines), facts={})

    async def _access(self, target: Entity, values: Values) -> Reply:
        rights = ON_NODES if target.kind is EntityKind.HOST else IN_NAMESPACES
        lines = []
        for name, spaces in self._places.where(target, values):
            for one in spaces if target.kind is not EntityKind.HOST else ("",):
                told = await rights_told(self._places.apis[name], rights, namespace=one)
                lines.append(f"cluster {name}, {told}")
        return Reply(says="\n".join(lines), facts={})

    async def _met(self, target: Entity, verb: str, values: Values, *, back: bool = False) -> _Met:
        """What is there and what `verb` (or its undo) would do about it."""
        if verb == SHIFT:
            return await self._traffic_met(target, values, back=back)
        at = await self._places.workload(target, values)
        site = Site(api=at.api, workload=at.workload, clock=self._clock)
        made = await (take_back if back else change)(site, verb, values)
        return _Met(
            api=at.api, workload=at.workload, traffic=None, change=made, manifest=at.manifest
        )

    async def _traffic_met(self, target: Entity, values: Values, *, back: bool) -> _Met:
        api, one, manifest = await self._places.traffic(target, values)
        made = traffic.shift_back(one, values) if back else traffic.shift(one, values)
        return _Met(api=api, workload=None, traffic=one, change=made, manifest=manifest)


def _changes(verb: str, values: Values) -> str:
    """The change that a patch is to hold, that is looked at or taken back, or the verb itself."""
    named = {PATCH: "change", CHECK: "of", UNDO: "of"}
    wanted = str(values.get(named[verb], "")) if verb in named else verb
    if wanted not in _ROLLS | {AUTOSCALE, SHIFT}:
        raise BadInput(f"There is no change {wanted[:60]!r} of a workload.")
    return wanted


def _pins(met: _Met) -> dict[str, str]:
    """Where the object was found, so that the undo does not look for it anew."""
    if met.workload is not None:
        return {"namespace": met.workload.namespace, "kind": met.workload.word}
    if met.traffic is not None:
        place = fields_of(met.traffic.told, "metadata").get("namespace")
        return {"namespace": str(place), "via": met.traffic.word}
    return {}
