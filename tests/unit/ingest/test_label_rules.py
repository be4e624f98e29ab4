"""Label rules: whose metric it is, what it measures, in which unit."""

import pytest

from opsmith.ingest import metric_names
from opsmith.ingest.label_rules import describe
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect, MetricKind, Unit


@pytest.mark.parametrize(
    ("name", "labels", "entity", "part_of"),
    [
        ("http_requests_total", {"service": "cart"}, "service:cart", None),
        ("x", {"service": "cart", "instance": "h:80"}, "instance:h:80", "service:cart"),
        ("x", {"job": "cart", "instance": "h:80"}, "instance:h:80", "service:cart"),
        ("x", {"job": "cart"}, "service:cart", None),
        ("x", {"service_name": "cart"}, "service:cart", None),
        (
            "container_cpu_usage_seconds_total",
            {"pod": "cart-5d8f7c9b6d-x2x9z", "namespace": "shop"},
            "instance:cart-5d8f7c9b6d-x2x9z",
            "service:cart",
        ),
        ("x", {"pod": "orders-db-0"}, "instance:orders-db-0", "service:orders-db"),
        ("container_memory_rss", {"container": "cart"}, "service:cart", None),
        ("node_load1", {"instance": "10.0.0.1:9100", "job": "node"}, "host:10.0.0.1", None),
        ("node_load1", {"nodename": "worker-1"}, "host:worker-1", None),
        ("node_load1", {"instance": "worker-1"}, "host:worker-1", None),
        ("pg_up", {"instance": "db:5432", "job": "pg"}, "database:db:5432", None),
        ("redis_up", {"service": "sessions"}, "cache:sessions", None),
        ("kafka_lag", {"job": "kafka"}, "queue:kafka", None),
        ("pg_up", {}, None, None),
        ("size_bytes", {"datname": "orders"}, "database:orders", None),
        ("depth", {"queue": "orders"}, "queue:orders", None),
        ("depth", {"queue": "orders", "service": "mq"}, "service:mq", None),
        ("kubelet_volume_bytes", {"persistentvolumeclaim": "data"}, "volume:data", None),
        ("temp", {"host": "h1"}, "host:h1", None),
        ("x", {"caller": "a", "callee": "b"}, "edge:a->b", None),
        (
            "x",
            {"source_workload": "a", "destination_workload": "unknown", "app": "c"},
            "service:c",
            None,
        ),
        ("x", {}, None, None),
        ("x", {"service": "\x1b[31m"}, None, None),
    ],
)
def test_labels_tell_whose_metric_it_is(
    name: str, labels: dict[str, str], entity: str | None, part_of: str | None
) -> None:
    meaning = describe(name, labels)

    assert (str(meaning.entity) if meaning.entity else None) == entity
    assert (str(meaning.part_of) if meaning.part_of else None) == part_of


def test_the_type_that_the_bundle_states_wins() -> None:
    naming = Naming([Entity.parse("database:orders-db")])

    meaning = describe("process_open_fds", {"service": "orders-db"}, naming=naming)

    assert str(meaning.entity) == "database:orders-db"


def test_a_name_stated_with_two_types_is_left_as_told() -> None:
    naming = Naming([Entity.parse("database:x"), Entity.parse("cache:x")])

    assert str(describe("y", {"service": "x"}, naming=naming).entity) == "service:x"


@pytest.mark.parametrize(
    ("name", "aspect"),
    [
        ("http_request_duration_seconds:mean", Aspect.LATENCY),
        ("http_request_duration_seconds_count", Aspect.TRAFFIC),
        ("http_requests_total", Aspect.TRAFFIC),
        ("http_requests_total:error_ratio", Aspect.ERRORS),
        ("container_cpu_usage_seconds_total", Aspect.CPU),
        ("node_load1", Aspect.CPU),
        ("process_cpu_seconds_total", Aspect.CPU),
        ("process_resident_memory_bytes", Aspect.MEMORY),
        ("jvm_gc_pause_seconds", Aspect.MEMORY),
        ("go_memstats_heap_alloc_bytes", Aspect.MEMORY),
        ("process_open_fds", Aspect.FILES),
        ("process_start_time_seconds", Aspect.RESTARTS),
        ("kube_pod_container_status_restarts_total", Aspect.RESTARTS),
        ("up", Aspect.RESTARTS),
        ("hikaricp_connections_pending", Aspect.POOL),
        ("db_pool_in_use", Aspect.POOL),
        ("rabbitmq_queue_messages_ready", Aspect.QUEUE),
        ("redis_keyspace_hits_total", Aspect.CACHE),
        ("node_disk_io_time_seconds_total", Aspect.DISK),
        ("node_filesystem_avail_bytes", Aspect.DISK),
        ("container_network_receive_bytes_total", Aspect.NETWORK),
        ("HighErrorRate", Aspect.ERRORS),
        ("wibble_seconds", Aspect.LATENCY),
        ("wibble", Aspect.OTHER),
    ],
)
def test_names_tell_what_side_is_measured(name: str, aspect: Aspect) -> None:
    assert metric_names.aspect(name) is aspect


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("a_seconds", Unit.SECONDS, 1.0),
        ("a_seconds_total", Unit.SECONDS, 1.0),
        ("a_ms", Unit.SECONDS, 1e-3),
        ("aMillis", Unit.SECONDS, 1e-3),
        ("a_microseconds_sum", Unit.SECONDS, 1e-6),
        ("a_ns", Unit.SECONDS, 1e-9),
        ("a_minutes", Unit.SECONDS, 60.0),
        ("a_bytes", Unit.BYTES, 1.0),
        ("a_MiB", Unit.UNKNOWN, 1.0),
        ("a_mib", Unit.BYTES, 1024.0**2),
        ("a_bytes_per_second", Unit.BYTES_PER_SECOND, 1.0),
        ("a_qps", Unit.PER_SECOND, 1.0),
        ("a_percent", Unit.RATIO, 0.01),
        ("a_total:error_ratio", Unit.RATIO, 1.0),
        ("a_requests_total", Unit.COUNT, 1.0),
        ("a_seconds_count", Unit.COUNT, 1.0),
        ("process_open_fds", Unit.COUNT, 1.0),
        ("db_pool_connections_used", Unit.COUNT, 1.0),
        ("wibble", Unit.UNKNOWN, 1.0),
    ],
)
def test_names_tell_the_unit(name: str, unit: Unit, factor: float) -> None:
    assert metric_names.unit(name) == (unit, factor)


@pytest.mark.parametrize(
    ("name", "declared", "kind"),
    [
        ("a_total", "", MetricKind.COUNTER),
        ("a_total", "gauge", MetricKind.GAUGE),
        ("a", "counter", MetricKind.COUNTER),
        ("a_count", "histogram", MetricKind.COUNTER),
        ("a", "summary", MetricKind.GAUGE),
        ("a", "", MetricKind.GAUGE),
    ],
)
def test_a_counter_is_declared_or_told_by_its_ending(
    name: str, declared: str, kind: MetricKind
) -> None:
    assert metric_names.kind(name, declared) is kind
