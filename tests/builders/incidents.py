"""Hand-made incidents: recordings with the diagnosis that a good ranker would give of them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import (
    Cause,
    Channel,
    Diagnosis,
    Evidence,
    Path,
    RuledOut,
    Status,
)
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Missing, Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Alert, AlertSource, Change, ChangeKind, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology

ONSET = datetime(2026, 3, 1, 3, 12, 40, tzinfo=UTC)
WINDOW = Window(start=ONSET - timedelta(minutes=5), end=ONSET + timedelta(minutes=15))
ORDERS = Entity(kind=EntityKind.DATABASE, name="orders")
CHECKOUT, FRONTEND, CART, PAYMENTS, SHIPPING = (
    Entity.service(name) for name in ("checkout", "frontend", "cart", "payments", "shipping")
)
CACHE = Entity(kind=EntityKind.CACHE, name="sessions")
HOST = Entity(kind=EntityKind.HOST, name="node-7")


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A recording and what is said of it."""

    diagnosis: Diagnosis
    recording: Recording


def series(
    name: str, entity: Entity, *, after: float, unit: Unit = Unit.RATIO, before: float = 1.0
) -> Series:
    """Fifteen minutes around the onset, one sample in 10 s, noisy, with a step at the onset."""
    times = ONSET.timestamp() + np.arange(-600.0, 900.0, 10.0)
    noise = 0.05 * before * np.random.default_rng(7).standard_normal(times.size)
    rise = np.clip((times - ONSET.timestamp()) / 120, 0, 1) * (after - before)
    return Series(
        name=name,
        labels=(("instance", "10.0.0.7:9187"), ("job", entity.name)),
        entity=entity,
        aspect=Aspect.POOL,
        unit=unit,
        kind=MetricKind.GAUGE,
        times_s=times,
        values=before + noise + rise,
    )


def alert(name: str, entity: Entity, after_s: float | None, severity: str = "critical") -> Alert:
    """An alert that fires so many seconds after the onset."""
    return Alert(
        fingerprint=f"{name}-{entity.name}",
        name=name,
        entity=entity,
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="http_request_duration_seconds",
        severity=severity,
        starts_at=None if after_s is None else ONSET + timedelta(seconds=after_s),
        ends_at=None,
    )


def topology() -> Topology:
    """A small shop with a circle between cart and checkout."""
    calls = [
        (FRONTEND, CHECKOUT),
        (FRONTEND, CART),
        (CHECKOUT, CART),
        (CART, CHECKOUT),
        (CHECKOUT, PAYMENTS),
        (CHECKOUT, SHIPPING),
        (CHECKOUT, ORDERS),
        (CART, CACHE),
        (SHIPPING, ORDERS),
    ]
    edges = [Edge(source=a, target=b, kind=EdgeKind.CALLS) for a, b in calls]
    edges.append(Edge(source=CHECKOUT, target=HOST, kind=EdgeKind.RUNS_ON))
    return Topology(entities=(), edges=tuple(edges))


def pool_exhausted() -> Incident:
    """A database whose connections are all taken; the shop's front door alerts."""
    used = series("pg_stat_activity_count", ORDERS, before=12, after=100, unit=Unit.COUNT)
    waits = series("db_client_wait_seconds", CHECKOUT, before=0.004, after=1.9, unit=Unit.SECONDS)
    facts = (
        Evidence(
            channel=Channel.RESOURCE,
            claim="database:orders holds 100 of its 100 connections, 12 before.",
            strength=41.0,
            entity=ORDERS,
            unit="count",
            before=12.0,
            after=100.0,
            at=ONSET,
            series=(used.key,),
        ),
        Evidence(
            channel=Channel.SELF_SHARE,
            claim="checkout waits 1.9 s for a connection, 4 ms before.",
            strength=22.5,
            entity=CHECKOUT,
            unit="seconds",
            before=0.004,
            after=1.9,
            at=ONSET + timedelta(seconds=20),
            series=(waits.key,),
        ),
    )
    causes = (
        Cause(
            entity=ORDERS,
            kind=CauseKind.POOL_EXHAUSTED,
            score=3.2,
            confidence=0.874,
            evidence=facts,
        ),
        Cause(
            entity=Entity.edge("checkout", "orders"),
            kind=CauseKind.DEPENDENCY_SLOW,
            score=1.1,
            confidence=0.08,
            evidence=facts[1:],
        ),
        Cause(entity=CART, kind=CauseKind.UNKNOWN, score=0.2, confidence=0.02),
    )
    lacks = (Missing(part="logs", what="no logs: code paths cannot be told apart"),)
    diagnosis = Diagnosis(
        incident="2026-03-01 checkout latency",
        status=Status.DIAGNOSED,
        causes=causes,
        path=Path(entities=(ORDERS, CHECKOUT, FRONTEND), bottleneck=4.2, cost=2.31),
        ruled_out=(
            RuledOut(entity=PAYMENTS, why="its latency follows that of checkout by 40 s"),
            RuledOut(entity=HOST, why="its processors were idle for 80 % of the time"),
        ),
        missing=lacks,
        alerting=(FRONTEND,),
        onset=ONSET,
    )
    return Incident(diagnosis=diagnosis, recording=_recording(used, waits, lacks))


def _recording(used: Series, waits: Series, lacks: tuple[Missing, ...]) -> Recording:
    return Recording(
        name="2026-03-01 checkout latency",
        window=WINDOW,
        alerting=(FRONTEND,),
        alerts=(
            alert("FrontendSlow", FRONTEND, 95),
            alert("CheckoutErrors", CHECKOUT, 140, "warning"),
            alert("CheckoutErrors", CHECKOUT, 200, "warning"),
            alert("NoTime", CART, None),
        ),
        series=(used, waits),
        changes=(
            Change(
                at=ONSET - timedelta(minutes=4),
                entity=CHECKOUT,
                kind=ChangeKind.DEPLOY,
                summary="rolled out, password=hunter2",
                version="v2.14.0",
            ),
        ),
        topology=topology(),
        missing=lacks,
    )


def inconclusive() -> Incident:
    """The same evening with the evidence taken away."""
    found = pool_exhausted()
    weak = tuple(
        replace(c, confidence=c.confidence / 3, evidence=()) for c in found.diagnosis.causes
    )
    lacks = (
        Missing(part="metrics", what="no metrics: resources cannot be judged"),
        Missing(part="traces", what="no traces: the call graph is the one in the file"),
    )
    return Incident(
        diagnosis=replace(
            found.diagnosis,
            status=Status.INCONCLUSIVE,
            causes=weak,
            reasons=(
                "nothing stands out from its own noise",
                "three candidates are within 10 % of each other",
            ),
            ruled_out=(),
            missing=lacks,
            onset=None,
        ),
        recording=replace(found.recording, series=(), missing=lacks),
    )


def healthy() -> Incident:
    """An alert that had nothing behind it."""
    found = pool_exhausted()
    return Incident(
        diagnosis=Diagnosis(
            incident="false alarm",
            status=Status.HEALTHY,
            causes=(),
            path=None,
            reasons=("all 214 series stayed in their usual range",),
        ),
        recording=replace(found.recording, changes=(), name="false alarm"),
    )


def named(name: str, text: str) -> Incident:
    """An incident in which `name` stands in every name and `text` in every other text."""
    me, host = Entity.service(name), Entity(kind=EntityKind.HOST, name=name)
    edge = Entity(kind=EntityKind.EDGE, name=f"{name[:200]}->{name[:200]}")
    one = replace(
        series(name, me, before=1, after=9), labels=(("job", text), (name, text)), entity=me
    )
    fact = Evidence(
        channel=Channel.RESOURCE,
        claim=text,
        strength=3.0,
        entity=me,
        unit=text[:20],
        before=1.0,
        after=9.0,
        at=ONSET,
        series=(one.key,),
    )
    causes = tuple(
        Cause(entity=entity, kind=kind, score=1.0, confidence=0.3, evidence=(fact,))
        for entity, kind in zip(
            (me, edge, host),
            (CauseKind.DEPLOY_BAD, CauseKind.DEPENDENCY_SLOW, CauseKind.DISK_FULL),
            strict=True,
        )
    )
    fired = replace(alert(name, me, 10), labels=((name, text),), severity=text)
    change = Change(at=ONSET, entity=me, kind=ChangeKind.DEPLOY, summary=text, version=text)
    lacks = (Missing(part=text, what=text),)
    return Incident(
        diagnosis=Diagnosis(
            incident=text,
            status=Status.DIAGNOSED,
            causes=causes,
            path=Path(entities=(me, host), bottleneck=2.0, cycles=((me, host),)),
            reasons=(text, text),
            ruled_out=(RuledOut(entity=me, why=text),),
            missing=lacks,
            alerting=(host,),
            onset=ONSET,
        ),
        recording=Recording(
            name=text,
            window=WINDOW,
            alerting=(host,),
            alerts=(fired,),
            series=(one,),
            changes=(change,),
            topology=Topology(edges=(Edge(source=host, target=me, kind=EdgeKind.CALLS),)),
            missing=lacks,
        ),
    )
