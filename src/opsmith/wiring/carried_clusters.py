"""Clusters, as opsmith tells a carrier of them and as the carrier makes its way to them.

Opsmith reads the kubeconfig, since that may mean to start a program for a token; the carrier is
told where the server is, and what to say to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from opsmith.backends.reach.doors import address_of
from opsmith.backends.reach.kubernetes import KubernetesReach, leads
from opsmith.backends.reach.kubernetes_api import Account
from opsmith.backends.reach.kubernetes_places import ClusterPlace, ObjectPlace, Places
from opsmith.backends.reach.lines import Place
from opsmith.nouns.entity import Entity
from opsmith.seams.reach import Reach

_CLUSTERS = TypeAdapter(dict[str, ClusterPlace])
_OBJECT = TypeAdapter(ObjectPlace | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlaces:
    """Clusters, and what targets are in them. patches: where patches for owners are written."""

    clusters: Mapping[str, ClusterPlace]
    places: Mapping[Entity, ObjectPlace]
    patches: Path

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file says what it is, or where it may be found."""
        return leads(Places(self.clusters, self.places), target, verb)

    def place(self, target: Entity, verb: str) -> Place:  # noqa: ARG002
        """The clusters that the target may be in, each with its account. Raises `BadInput`."""
        one = self.places.get(target)
        knows = Places(self.clusters, self.places).knows(target)
        named = ([one.cluster] if one else [*self.clusters]) if knows else []
        accounts = {
            name: Account.read(self.clusters[name].kubeconfig, self.clusters[name].context)
            for name in named
        }
        told = {name: replace(self.clusters[name], account=accounts[name]) for name in named}
        files = [
            file
            for each in accounts.values()
            for file in (each.ca_file, each.cert_file, each.key_file)
            if file
        ]
        self.patches.mkdir(parents=True, exist_ok=True)
        return Place(
            told={
                "clusters": _CLUSTERS.dump_python(told, mode="json"),
                "object": _OBJECT.dump_python(one, mode="json"),
                "patches": str(self.patches.absolute()),
            },
            addresses=[
                address_of(url)
                for each in accounts.values()
                for url in (each.host, each.proxy)
                if url
            ],
            secrets=files,
            changed=[str(self.patches.absolute())],
        )


def build(target: Entity, told: Mapping[str, object], clock: Callable[[], datetime]) -> Reach:
    """The way, in the carrier."""
    one = _OBJECT.validate_python(told["object"])
    return KubernetesReach(
        _CLUSTERS.validate_python(told["clusters"]),
        places={target: one} if one else {},
        clock=clock,
        patches=Path(str(told["patches"])),
    )
