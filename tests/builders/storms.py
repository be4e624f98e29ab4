"""Small alert storms made by hand: one shop of two services with two instances each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP = Entity.service("shop")
BANK = Entity.service("bank")
HOST = Entity(kind=EntityKind.HOST, name="rack-1")
NAMES = ("shop-0", "shop-1", "bank-0", "bank-1")
INSTANCES = tuple(Entity(kind=EntityKind.INSTANCE, name=name) for name in NAMES)
EVERYONE = (SHOP, BANK, HOST, *INSTANCES)
SHOP_TOPOLOGY = Topology(
    entities=EVERYONE,
    edges=(
        Edge(source=SHOP, target=BANK, kind=EdgeKind.CALLS),
        *(
            Edge(source=one, target=whole, kind=EdgeKind.INSTANCE_OF)
            for one, whole in zip(INSTANCES, (SHOP, SHOP, BANK, BANK), strict=True)
        ),
        *(Edge(source=one, target=HOST, kind=EdgeKind.RUNS_ON) for one in INSTANCES),
    ),
)


def metric_alert(
    entity: Entity,
    metric: str = "cpu_usage",
    direction: Direction = Direction.UP,
    *,
    aspect: Aspect = Aspect.CPU,
    after_s: float | None = 0.0,
) -> Alert:
    return Alert(
        fingerprint=f"{entity}|{metric}|{direction}",
        name=metric,
        entity=entity,
        source=AlertSource.METRIC,
        aspect=aspect,
        direction=direction,
        metric=metric,
        severity="",
        starts_at=None if after_s is None else NOON + timedelta(seconds=after_s),
        ends_at=None,
    )


def call_alert(caller: Entity | None, callee: Entity, *, aspect: Aspect = Aspect.LATENCY) -> Alert:
    return Alert(
        fingerprint=f"{caller}|{callee}|{aspect}",
        name="slow call",
        entity=callee,
        source=AlertSource.TRACE,
        aspect=aspect,
        direction=Direction.UP,
        metric="GET /",
        severity="",
        starts_at=NOON,
        ends_at=None,
        caller=caller,
    )


def log_alert(entity: Entity, template: str = "disk is full") -> Alert:
    return Alert(
        fingerprint=f"{entity}|{template}",
        name="log template",
        entity=entity,
        source=AlertSource.LOG,
        aspect=Aspect.OTHER,
        direction=Direction.NONE,
        metric=template,
        severity="",
        starts_at=None,
        ends_at=None,
        count=7,
    )


def storm(*alerts: Alert, name: str = "storm") -> Recording:
    return Recording(name=name, alerts=alerts, topology=SHOP_TOPOLOGY, candidates=EVERYONE)


def history(count: int, *, seed: int = 0) -> list[tuple[Recording, frozenset[Entity]]]:
    """Incidents in which everybody's memory alert rings at random and the cause's CPU always."""
    rng = np.random.default_rng(seed)
    told = []
    for number in range(count):
        cause = INSTANCES[int(rng.integers(len(INSTANCES)))]
        noise = [
            metric_alert(one, "memory_usage", aspect=Aspect.MEMORY)
            for one in INSTANCES
            if rng.random() < 0.7
        ]
        told.append((storm(*noise, metric_alert(cause), name=f"i{number}"), frozenset({cause})))
    return told
