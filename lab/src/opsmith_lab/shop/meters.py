"""The metrics of one service, in Prometheus names, rates, errors and durations first."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

# Half a second is the service level objective and must be a bound.
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Meters:
    """Every instrument of a process; the process collector adds CPU, memory and open files."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._durations(
            "http_server_request_duration_seconds",
            "Duration of served HTTP requests.",
            ("http_request_method", "http_route", "http_response_status_code"),
        )
        self.calls = self._durations(
            "http_client_request_duration_seconds",
            "Duration of HTTP calls to other services.",
            ("server_address", "http_response_status_code"),
        )
        self.store_calls = self._durations(
            "db_client_operation_duration_seconds",
            "Duration of calls to databases, caches and queues.",
            ("server_address", "db_operation_name"),
        )
        self.pages = Counter(
            "shop_pages",
            "Pages answered without an error, by whether every part of them was there.",
            ("http_route", "complete"),
            registry=self.registry,
        )
        self.active = self._gauge("http_server_active_requests", "Requests being served.")
        self.quota_cores = self._gauge("process_cpu_quota_cores", "Processor time allowed.")
        self.memory_limit = self._gauge("process_memory_limit_bytes", "Memory allowed.")
        self.release = Gauge(
            "service_build_info", "The running version.", ("version",), registry=self.registry
        )

    def _durations(self, name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(name, text, labels, buckets=BOUNDS_S, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)


class PoolMeters:
    """The state of a bounded pool of database connections."""

    def __init__(self, meters: Meters) -> None:
        registry = meters.registry
        self.used = Gauge("db_client_connections_used", "Connections lent out.", registry=registry)
        self.idle = Gauge("db_client_connections_idle", "Connections free.", registry=registry)
        self.most = Gauge("db_client_connections_max", "Connections allowed.", registry=registry)
        self.waiting = Gauge(
            "db_client_connections_pending_requests",
            "Requests that wait for a connection.",
            registry=registry,
        )
        self.timeouts = Counter(
            "db_client_connections_timeouts",
            "Requests that gave up waiting for a connection.",
            registry=registry,
        )


class CacheMeters:
    """Hits and misses of a cache."""

    def __init__(self, meters: Meters) -> None:
        self.lookups = Counter(
            "cache_lookups", "Cache lookups.", ("result",), registry=meters.registry
        )
