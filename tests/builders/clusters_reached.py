"""A way to an emulated cluster, and orders on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from opsmith.backends.reach.kubernetes import KubernetesReach
from opsmith.backends.reach.kubernetes_places import ClusterPlace
from opsmith.execute.action import Action
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Order, Value


def reach(kubeconfig: Path, folder: Path) -> KubernetesReach:
    """The namespace `shop` and the nodes of the cluster are open."""
    return KubernetesReach(
        {"test": ClusterPlace(kubeconfig=kubeconfig, namespaces=("shop",), nodes=True)},
        places={},
        clock=lambda: datetime(2026, 1, 10, 12, tzinfo=UTC),
        patches=folder / "patches",
        every_s=0.001,
    )


def of(name: str, target: Entity, **values: Value) -> tuple[Action, Order]:
    """An action with a checked order for it."""
    order = Order(action=name, target=target, values=values)
    return Registry(BUILT_IN).checked(order), order
