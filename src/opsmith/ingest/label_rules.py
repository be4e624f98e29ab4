"""Label rules: a metric's name and labels say which entity it is about and what it measures.

Labels are read by the conventions of Prometheus, Kubernetes (cAdvisor, kube-state-metrics),
node-exporter, Istio and OpenTelemetry; docs/reference/bundle.md lists them.
No rule names a system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from opsmith.ingest import metric_names
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Meaning

# Both labels present: the metric is about the call from the first to the second.
CALL_LABELS = (
    ("caller", "callee"),
    ("source_workload", "destination_workload"),
    ("source_service", "destination_service"),
    ("source_app", "destination_app"),
    ("source", "destination"),
    ("client", "server"),
    ("upstream", "downstream"),
)
SERVICE_LABELS = (
    "service",
    "service_name",
    "service.name",
    "svc",
    "app",
    "app_kubernetes_io_name",
    "application",
    "microservice",
    "deployment",
    "workload",
    "component",
)
# What the whole metric is about, before any label of a service.
NAMED_LABELS = (
    (EntityKind.DATABASE, ("datname", "database", "db", "db_name", "db.name", "schema")),
    (EntityKind.CACHE, ("cache", "cache_name")),
    (EntityKind.QUEUE, ("queue", "queue_name", "topic", "messaging_destination_name", "stream")),
)
# An exporter of a store speaks of that store: the metric's first word.
STORE_WORDS = {
    "pg": EntityKind.DATABASE,
    "postgres": EntityKind.DATABASE,
    "postgresql": EntityKind.DATABASE,
    "mysql": EntityKind.DATABASE,
    "mongodb": EntityKind.DATABASE,
    "cassandra": EntityKind.DATABASE,
    "elasticsearch": EntityKind.DATABASE,
    "redis": EntityKind.CACHE,
    "valkey": EntityKind.CACHE,
    "memcached": EntityKind.CACHE,
    "rabbitmq": EntityKind.QUEUE,
    "kafka": EntityKind.QUEUE,
    "nats": EntityKind.QUEUE,
}
POD_LABELS = ("pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "k8s.pod.name")
CONTAINER_LABELS = ("container", "container_name", "name")
HOST_LABELS = ("node", "nodename", "host", "hostname", "host_name", "host.name", "machine")
INSTANCE_LABELS = ("service_instance_id", "service.instance.id", "instance_id", "instance")
VOLUME_LABELS = ("persistentvolumeclaim", "volume")
_HOST_WORDS = frozenset({"node", "machine", "host"})
# Pods of a Deployment end in the hash of their ReplicaSet and five signs, of a StatefulSet in a
# number. Source: Kubernetes, "Pod template hash" and "StatefulSet, Pod identity".
_POD_OF_SET = re.compile(r"(-[a-z0-9]{6,10}-[a-z0-9]{5}|-\d{1,4})$")
_NOBODY = frozenset({"", "unknown", "none", "POD"})


def describe(
    name: str, labels: Mapping[str, str], *, declared: str = "", naming: Naming | None = None
) -> Meaning:
    """What a metric is about and in which unit its values come.

    declared: the metric's OpenMetrics type, empty if unstated.

    >>> meaning = describe("process_open_fds", {"service": "cart", "instance": "10.0.0.7:80"})
    >>> str(meaning.entity), str(meaning.part_of), meaning.aspect.value, meaning.unit.value
    ('instance:10.0.0.7:80', 'service:cart', 'files', 'count')
    """
    entity, whole = owner(name, labels, naming or Naming())
    unit, scale = metric_names.unit(name)
    return Meaning(
        entity=entity,
        part_of=whole,
        aspect=metric_names.aspect(name),
        unit=unit,
        scale=scale,
        kind=metric_names.kind(name, declared),
    )


def owner(
    name: str, labels: Mapping[str, str], naming: Naming
) -> tuple[Entity | None, Entity | None]:
    """The entity that a metric or an alert is about, and the one that this is an instance of."""
    called = call(labels, naming)
    if called is not None:
        return naming.edge(called[0].name, called[1].name), None
    if entity := _host_of(name, labels, naming) or _store(name, labels, naming):
        return entity, None
    pod = _first(POD_LABELS, labels)
    service = _first(SERVICE_LABELS, labels) or _POD_OF_SET.sub("", pod)
    if not service:
        if lone := _lone(labels, naming):
            return lone, None
        service = _first(("job",), labels)
    whole = naming.entity(EntityKind.SERVICE, service) if service else None
    instance = pod or _first(INSTANCE_LABELS, labels)
    if not instance or instance == service:
        return whole, None
    return naming.entity(EntityKind.INSTANCE, instance), whole


def call(labels: Mapping[str, str], naming: Naming) -> tuple[Entity, Entity] | None:
    """Caller and callee when the labels name both, else None."""
    for left, right in CALL_LABELS:
        a, b = labels.get(left, ""), labels.get(right, "")
        if a not in _NOBODY and b not in _NOBODY:
            caller = naming.entity(EntityKind.SERVICE, a)
            callee = naming.entity(EntityKind.SERVICE, b)
            return (caller, callee) if caller and callee and caller != callee else None
    return None


def _host_of(name: str, labels: Mapping[str, str], naming: Naming) -> Entity | None:
    """The host, when the metric's first word says that it is about one (node-exporter)."""
    if metric_names.words(name).partition("_")[0] not in _HOST_WORDS:
        return None
    host = _first(HOST_LABELS, labels) or _first(INSTANCE_LABELS, labels).rpartition(":")[0]
    host = host or _first(INSTANCE_LABELS, labels)
    return naming.entity(EntityKind.HOST, host) if host else None


def _store(name: str, labels: Mapping[str, str], naming: Naming) -> Entity | None:
    """The database, cache or queue, when the metric is about one."""
    kind = STORE_WORDS.get(metric_names.words(name).partition("_")[0])
    if kind is not None:
        named = _first((*SERVICE_LABELS, *INSTANCE_LABELS, "job"), labels)
        return naming.entity(kind, named) if named else None
    if _first((*SERVICE_LABELS, *POD_LABELS), labels):
        return None
    for store, names in NAMED_LABELS:
        if found := _first(names, labels):
            return naming.entity(store, found)
    return None


def _lone(labels: Mapping[str, str], naming: Naming) -> Entity | None:
    """Volume, container or host, when no label names a service."""
    for kind, names in (
        (EntityKind.VOLUME, VOLUME_LABELS),
        (EntityKind.SERVICE, CONTAINER_LABELS),
        (EntityKind.HOST, HOST_LABELS),
    ):
        if found := _first(names, labels):
            return naming.entity(kind, found)
    return None


def _first(names: Sequence[str], labels: Mapping[str, str]) -> str:
    for name in names:
        value = labels.get(name, "")
        if value not in _NOBODY:
            return value
    return ""
