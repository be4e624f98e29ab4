"""The names that exist: from an inventory, from metrics' labels, from topology and alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from opsmith.nouns.entity import EntityKind
from opsmith.nouns.topology import Topology
from opsmith.parse.catalogue import Catalogue
from opsmith.seams.metrics import Metrics

# Small series that nearly every installation has some of, and that carry the names of things.
TELLING = (
    "up",
    "node_uname_info",
    "kube_node_info",
    "kube_deployment_spec_replicas",
    "kube_statefulset_replicas",
    "istio_requests_total",
    "http_server_request_duration_seconds_count",
    "http_server_duration_milliseconds_count",
    "http_server_requests_seconds_count",
    "http_request_duration_seconds_count",
    "http_requests_total",
    "grpc_server_handled_total",
    "messaging_queue_lag",
    "kafka_consumergroup_lag",
)
SERVICES = (
    "service",
    "service_name",
    "app",
    "app_kubernetes_io_name",
    "deployment",
    "statefulset",
    "destination_workload",
    "consumergroup",
    "job",
)
HOSTS = ("nodename", "node", "host", "host_name")
_LABELS = (*SERVICES, *HOSTS, "namespace", "instance", "__name__")
_SERVICE_KINDS = frozenset(
    {EntityKind.SERVICE, EntityKind.DATABASE, EntityKind.CACHE, EntityKind.QUEUE}
)


async def names_of(metrics: Metrics, *, at: datetime) -> Catalogue:
    """What the labels of a metrics server name. Raises what the seam raises."""
    telling = f'{{__name__=~"{"|".join(TELLING)}"}}'
    found = await metrics.query(f"count by ({', '.join(_LABELS)}) ({telling})", at=at)
    named: dict[str, set[str]] = defaultdict(set)
    for one in found:
        labels = dict(one.labels) | {"__name__": one.name or dict(one.labels).get("__name__", "")}
        for label, value in labels.items():
            if value:
                named[label].add(value)
        if labels["__name__"] == "node_uname_info":
            named["host"].add(labels.get("instance", "").rpartition(":")[0])
    alerts = await metrics.query("count by (alertname) (ALERTS)", at=at)
    return Catalogue(
        services=_all(named, SERVICES),
        hosts=_all(named, HOSTS),
        namespaces=_all(named, ("namespace",)),
        alerts=frozenset(dict(one.labels).get("alertname", "") for one in alerts) - {""},
    )


def names_in(topology: Topology, alerts: Iterable[str]) -> Catalogue:
    """What a topology and alerts name."""
    ends = {end for edge in topology.edges for end in (edge.source, edge.target)}
    known = {*topology.entities, *ends}
    return Catalogue(
        services=frozenset(one.name for one in known if one.kind in _SERVICE_KINDS),
        hosts=frozenset(one.name for one in known if one.kind is EntityKind.HOST),
        alerts=frozenset(alerts),
    )


def _all(named: Mapping[str, set[str]], labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for label in labels for name in named.get(label, ()) if name)
