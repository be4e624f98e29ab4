"""Where targets are in clusters: as the targets file says, or found by name where it opens one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from opsmith.backends.reach.kubernetes_api import Account, ClusterApi, dns_name, label
from opsmith.backends.reach.kubernetes_objects import WORKLOADS, Workload
from opsmith.backends.reach.kubernetes_traffic import Traffic, traffic_of
from opsmith.errors import BadInput, NotFound
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """One cluster. kubeconfig: its file, None for the account of opsmith's own pod.

    namespaces: where a service is the workload of its name. nodes: a host is the node of its name.
    account: what the kubeconfig says, where it was read already.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    nodes: bool = False
    account: Account | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """What one target is in a cluster: a node, or a workload in a namespace.

    workload: `deployment/NAME` or another kind. traffic: what shares its traffic out, as
    `virtualservice/NAME`, where that is not named as the target is.
    manifest: the file that the object is made from, if that is known.
    """

    cluster: str
    namespace: str = ""
    workload: str = ""
    traffic: str = ""
    node: str = ""
    manifest: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A workload, where it is, and the file that it is made from, if that is known."""

    api: ClusterApi
    workload: Workload
    manifest: Path | None


class Places:
    """Targets by what they are in which cluster."""

    def __init__(
        self, clusters: Mapping[str, ClusterPlace], places: Mapping[Entity, ObjectPlace]
    ) -> None:
        self._clusters = dict(clusters)
        self._places = dict(places)
        self.apis = {
            name: ClusterApi(one.kubeconfig, context=one.context, account=one.account)
            for name, one in clusters.items()
        }

    def knows(self, target: Entity) -> bool:
        """Whether the file names the target, or opens where one of its name may be found."""
        place = self._places.get(target)
        if target.kind is EntityKind.HOST:
            named = place is not None and bool(place.node)
            return named or any(one.nodes for one in self._clusters.values())
        named = place is not None and not place.node
        return named or any(one.namespaces for one in self._clusters.values())

    async def workload(self, target: Entity, values: Values) -> At:
        """The one object that a target is. Raises `NotFound` or, for two, `BadInput`."""
        place = self._places.get(target)
        kept, _, named = place.workload.partition("/") if place else ("", "", "")
        name = named or dns_name(target.name)
        words = _words(kept, values)
        found = []
        for cluster, spaces in self.where(target, values):
            api = self.apis[cluster]
            for space in spaces:
                for word in words:
                    try:
                        told = await api.get(WORKLOADS[word], space, name)
                    except NotFound:
                        continue
                    found.append((api, Workload(word=word, told=told)))
        if not found:
            spaces_told = ", ".join(
                space for _, spaces in self.where(target, values) for space in spaces
            )
            raise NotFound(
                f"No {' or '.join(words)} {name} is in {spaces_told or 'any namespace'}."
            )
        if len(found) > 1:
            raise _ambiguous(target, [str(one) for _, one in found])
        api, workload = found[0]
        return At(api=api, workload=workload, manifest=place.manifest if place else None)

    async def traffic(
        self, target: Entity, values: Values
    ) -> tuple[ClusterApi, Traffic, Path | None]:
        """What shares out the traffic of a service. Raises as `workload` does."""
        place = self._places.get(target)
        kept, _, named = place.traffic.partition("/") if place else ("", "", "")
        name, wanted = named or dns_name(target.name), str(values.get("via", ""))
        if kept and wanted not in ("", kept):
            raise BadInput(f"{target} has its traffic by a {kept} in the targets file.")
        via = kept or wanted
        found = []
        for cluster, spaces in self.where(target, values):
            for space in spaces:
                one = await traffic_of(self.apis[cluster], space, name, via=via)
                if one is not None:
                    found.append((self.apis[cluster], one))
        if not found:
            raise NotFound(f"No VirtualService, HTTPRoute or Rollout shares {target}'s traffic.")
        if len(found) > 1:
            raise _ambiguous(target, [str(one) for _, one in found])
        return *found[0], place.manifest if place else None

    def where(self, target: Entity, values: Values) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The clusters and namespaces in which it may be, narrowed by what the order says."""
        place, wanted = self._places.get(target), values.get("namespace")
        narrowed = label(str(wanted)) if wanted is not None else None
        if place is not None:
            if narrowed not in (None, place.namespace):
                raise BadInput(f"{target} is in {place.namespace}, not in {narrowed}.")
            yield place.cluster, (place.namespace,)
            return
        dns_name(target.name)
        opened = {space for one in self._clusters.values() for space in one.namespaces}
        if narrowed is not None and narrowed not in opened:
            raise BadInput(f"The targets file opens no namespace {narrowed}.")
        for name, one in self._clusters.items():
            yield name, tuple(space for space in one.namespaces if narrowed in (None, space))

    def node(self, target: Entity) -> tuple[ClusterApi, str]:
        """The node that a host is. Raises `NotFound` when it is open whose it would be."""
        place = self._places.get(target)
        if place is not None and place.node:
            return self.apis[place.cluster], place.node
        name = dns_name(target.name)
        found = [one for one, place in self._clusters.items() if place.nodes]
        if len(found) != 1:
            says = f"{len(found)} clusters of the targets file open their nodes"
            raise NotFound(f"{says}; it must say whose node {name} is.")
        return self.apis[found[0]], name


def _words(kept: str, values: Values) -> tuple[str, ...]:
    """The kinds that a target may be of. kept: as the targets file says, empty for any."""
    wanted = values.get("kind", kept or None)
    if wanted is None:
        return tuple(WORKLOADS)
    if wanted not in WORKLOADS or kept not in ("", wanted):
        there = kept or ", ".join(WORKLOADS)
        raise BadInput(f"It is no {str(wanted)[:40]!r}; there is {there}.")
    return (str(wanted),)


def _ambiguous(target: Entity, there: list[str]) -> BadInput:
    return BadInput(
        f"{target} may be {' or '.join(there)}; say which by namespace and kind, or in the file."
    )
