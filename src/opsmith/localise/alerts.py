"""Surprise-weighted alerts: in a storm, the rarest alert for its entity points to the cause.

Each distinct alert weighs its surprise, -log(base rate), raised to `SHARPNESS`; sources are
brought to one scale, so that a thousand slow calls do not drown one metric.
What rings on one entity of many is likelier its own illness than what rings on all of them; so
the rate among an entity's peers in the same incident stands beside the rate over past incidents.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from opsmith.localise.base_rates import (
    PSEUDO_INCIDENTS,
    BaseRates,
    metric_of,
    population_of,
    signature_of,
)
from opsmith.localise.cases import resemblance
from opsmith.localise.findings import Findings
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import Alert, AlertSource, Direction

# Surprise counts more than in proportion: one alert of one in a thousand outweighs three of
# one in ten.  From our measurements on development storms; flat between 1.2 and 2.
SHARPNESS = 1.5
# What part of a source's loudest entity an alert of it is worth; the rest is doubt about
# which end of a call is to blame, and about logs at large.  Same measurements.
CALLEE_SHARE = 0.6
CALLER_SHARE = 0.3
LOG_SHARE = 0.5
# A storm's loudest entity has this strength: as an alert is no measurement of a size, its
# strength never outweighs that of a channel that measured one.
LOUDEST = 3.0
MOST_EVIDENCE = 5
SOURCES: Mapping[AlertSource, str] = {
    AlertSource.METRIC: "metric",
    AlertSource.TRACE: "call",
    AlertSource.LOG: "log",
}
# Words of metric names that tell the receiving from the sending end.
INWARD = frozenset(
    {"in", "inbound", "ingress", "receive", "received", "rx", "recv", "server", "dest"}
    | {"destination", "read", "reads", "r"}
)
OUTWARD = frozenset(
    {"out", "outbound", "egress", "transmit", "transmitted", "tx", "sent", "client", "src"}
    | {"source", "write", "writes", "w", "written"}
)
CAME_FROM = {"metric": 1.0, "callee": CALLEE_SHARE, "caller": CALLER_SHARE, "log": LOG_SHARE}

Columns = Mapping[str, Mapping[Entity, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A distinct alert with its surprise, in nats: against the past, and against its peers.

    times: how often it was raised; first_s: Unix seconds, NaN when untimed.
    """

    alert: Alert
    times: int
    first_s: float
    past: float
    peers: float


def alert_findings(recording: Recording, rates: BaseRates) -> Findings:
    """What the alerts say of each entity.

    Strength is the surprise of an entity's alerts over all sources, each source as a share of
    its loudest entity, the loudest of all being `LOUDEST`; over past incidents when there are
    any, else over peers.  Features: see `columns_of`.
    """
    weighed = weigh(recording, rates)
    columns = columns_of(weighed, past=rates.incidents > 0) | _remembered(weighed, rates)
    total = columns.get("past.all" if rates.incidents else "peers.all", {})
    loudest = max(total.values(), default=0.0)
    return Findings(
        channel=Channel.ALERT,
        strength={entity: LOUDEST * value / loudest for entity, value in total.items() if value},
        evidence=_evidence(weighed, total, loudest),
        features=columns,
    )


def weigh(recording: Recording, rates: BaseRates) -> tuple[Weighed, ...]:
    """The distinct alerts of a recording with their surprise, in the order of the recording."""
    grouped: dict[str, list[Alert]] = defaultdict(list)
    for alert in storm_of(recording):
        grouped[signature_of(alert)].append(alert)
    ringing = Counter(
        metric for metric, _ in {(metric_of(a[0]), a[0].entity) for a in grouped.values()}
    )
    kinds = Counter(entity.kind for entity in population_of(recording))
    return tuple(
        Weighed(
            alert=same[0],
            times=sum(alert.count for alert in same),
            first_s=min(_seconds(alert) for alert in same),
            past=-math.log(rates.rate(same[0])),
            peers=_peer_surprise(ringing[metric_of(same[0])], kinds[same[0].entity.kind]),
        )
        for same in grouped.values()
    )


def storm_of(recording: Recording) -> tuple[Alert, ...]:
    """The alerts that are evidence.

    Where the ailing itself was measured, an alert on an entity that people saw suffer is only
    where the search starts: it tells the symptom, which the measurements tell better.
    """
    if not recording.series and recording.spans is None:
        return recording.alerts
    return tuple(alert for alert in recording.alerts if alert.entity not in recording.alerting)


def columns_of(weighed: Sequence[Weighed], *, past: bool) -> dict[str, dict[Entity, float]]:
    """Name-free columns: `<against>.<side>.<what>`, an absent entity counting as 0.

    against: `peers`, and `past` where there is one; side: metric, callee, caller, own (a call
    recorded on its caller's side), log.  what: `sum`, `max` and `count` of the sharpened
    surprises, or `<aspect>[-in|-out].<direction>` for the sum of one sort.  `<against>.all`
    adds the sides up, each as a share of its largest.  `onset.<side>` is 1 / (1 + minutes after
    the first alert), so that an untimed alert counts as 0.
    """
    columns: dict[str, dict[Entity, float]] = defaultdict(lambda: defaultdict(float))
    start = min((w.first_s for w in weighed if not math.isnan(w.first_s)), default=0.0)
    for one in weighed:
        for against, surprise in (("peers", one.peers), *([("past", one.past)] if past else [])):
            weight = max(surprise, 0.0) ** SHARPNESS
            for side, entity in _sides(one.alert):
                _count(columns, f"{against}.{side}", one.alert, entity, weight)
        if not math.isnan(one.first_s):
            side, entity = next(_sides(one.alert))
            early = columns[f"onset.{side}"]
            early[entity] = max(early[entity], 60.0 / (60.0 + one.first_s - start))
    for against in ("peers", "past") if past else ("peers",):
        columns[f"{against}.all"] = _all_sides(columns, against)
    return columns


def _count(
    columns: dict[str, dict[Entity, float]],
    prefix: str,
    alert: Alert,
    entity: Entity,
    weight: float,
) -> None:
    role = role_of(alert.metric) if alert.source is AlertSource.METRIC else ""
    sort = f"{prefix}.{alert.aspect}{role}.{alert.direction}"
    for name in (f"{prefix}.sum", sort):
        columns[name][entity] += weight
    columns[f"{prefix}.count"][entity] += 1.0
    columns[f"{prefix}.max"][entity] = max(columns[f"{prefix}.max"][entity], weight)


def _remembered(weighed: Sequence[Weighed], rates: BaseRates) -> dict[str, dict[Entity, float]]:
    """How much the storm resembles past ones that each entity caused; nothing without a past."""
    alike = resemblance({signature_of(one.alert) for one in weighed}, rates.cases)
    if not alike:
        return {}
    return {
        "past.nearest": {entity: likeness.nearest for entity, likeness in alike.items()},
        "past.together": {entity: likeness.together for entity, likeness in alike.items()},
    }


def role_of(metric: str) -> str:
    """`-in` or `-out` when the name's words say which way things flow, else nothing.

    >>> role_of("net_receive"), role_of("client_p99"), role_of("cpu")
    ('-in', '-out', '')
    """
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    if words & INWARD:
        return "-in"
    return "-out" if words & OUTWARD else ""


def _sides(alert: Alert) -> Iterator[tuple[str, Entity]]:
    """Who is charged with an alert, and as what."""
    if alert.source is not AlertSource.TRACE:
        yield SOURCES[alert.source], alert.entity
    elif alert.caller == alert.entity:
        yield "own", alert.entity
    else:
        yield "callee", alert.entity
        if alert.caller is not None:
            yield "caller", alert.caller


def _all_sides(columns: Columns, against: str) -> dict[Entity, float]:
    total: dict[Entity, float] = defaultdict(float)
    for side, share in CAME_FROM.items():
        sums = columns.get(f"{against}.{side}.sum", {})
        loudest = max(sums.values(), default=0.0)
        for entity, value in sums.items():
            total[entity] += share * value / loudest if loudest else 0.0
    return total


def _evidence(
    weighed: Sequence[Weighed], total: Mapping[Entity, float], loudest: float
) -> dict[Entity, tuple[Evidence, ...]]:
    """The most surprising alerts of each entity, their surprises as shares of its strength."""
    found: dict[Entity, list[Weighed]] = defaultdict(list)
    for one in weighed:
        for _, entity in _sides(one.alert):
            found[entity].append(one)
    evidence = {}
    for entity, ones in found.items():
        largest = sorted(ones, key=lambda one: -max(one.past, 0.0))[:MOST_EVIDENCE]
        most = max(largest[0].past, 1e-9)
        scale = LOUDEST * total.get(entity, 0.0) / loudest if loudest else 0.0
        evidence[entity] = tuple(
            _fact(one, entity, scale * one.past / most) for one in largest if scale * one.past > 0
        )
    return {entity: facts for entity, facts in evidence.items() if facts}


def _fact(one: Weighed, entity: Entity, strength: float) -> Evidence:
    alert = one.alert
    times = f", {one.times} times" if one.times > 1 else ""
    way = f" {alert.direction}" if alert.direction is not Direction.NONE else ""
    call = f" on calls from {alert.caller}" if alert.caller not in {None, alert.entity} else ""
    chance = 100 * math.exp(-one.past)
    return Evidence(
        channel=Channel.ALERT,
        claim=(
            f"{alert.source} alert {alert.metric}{way} ({alert.aspect}) on {alert.entity}{call}"
            f"{times}; expected in {chance:.1f} % of incidents that it does not cause."
        ),
        strength=strength,
        entity=entity,
        at=alert.starts_at,
    )


def _peer_surprise(ringing: int, peers: int) -> float:
    """-log of the share of the OTHER entities of its type that raise the same metric.

    Half an entity is added to the count, `PSEUDO_INCIDENTS` to the total (Good 1965).
    """
    return -math.log((ringing - 0.5) / (peers - 1 + PSEUDO_INCIDENTS))


def _seconds(alert: Alert) -> float:
    return alert.starts_at.timestamp() if alert.starts_at else math.nan
