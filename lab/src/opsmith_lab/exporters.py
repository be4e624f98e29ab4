"""Metrics of what cannot speak for itself: quotas, PostgreSQL and the Valkey servers.

The names are those that cAdvisor, postgres_exporter and redis_exporter use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import asyncpg
import redis.asyncio as valkey
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from opsmith_lab.governor import Account, Governor, Totals
from opsmith_lab.layout import Lab

Samples = list[tuple[str, float]]
Row = tuple[type[Metric], str, str, Samples]

# Samples speak of the instance of a service, not of this exporter.
LABELS = ("service", "instance")


class _Snapshot:
    """Metric families collected once."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


# Family, name, text, and what is read of a service's totals.
_COUNTED: tuple[tuple[str, str, Callable[[Totals], float]], ...] = (
    ("container_cpu_usage_seconds", "Processor time used.", lambda one: one.cpu_s),
    ("container_cpu_cfs_periods", "Periods of the quota.", lambda one: one.periods),
    (
        "container_cpu_cfs_throttled_periods",
        "Periods in which the quota was used up.",
        lambda one: one.throttled_periods,
    ),
    (
        "container_cpu_cfs_throttled_seconds",
        "Time stopped because the quota was used up.",
        lambda one: one.throttled_s,
    ),
    ("container_oom_events", "Kills at the memory limit.", lambda one: one.killed),
)
_NOW: tuple[tuple[str, str, Callable[[Account], float]], ...] = (
    ("container_memory_working_set_bytes", "Memory in use.", lambda one: one.memory_bytes),
    ("container_spec_memory_limit_bytes", "Memory allowed.", lambda one: one.limit_bytes),
    ("container_spec_cpu_cores", "Processor time allowed, in cores.", lambda one: one.cores),
)


def containers(governor: Governor, restarts: dict[str, int]) -> bytes:
    """Processor time, throttling, memory and kills of each service, as cAdvisor would tell."""
    totals, accounts = dict(governor.totals), dict(governor.accounts)
    rows: list[Row] = [
        (CounterMetricFamily, name, text, [(who, read(one)) for who, one in totals.items()])
        for name, text, read in _COUNTED
    ]
    rows += [
        (GaugeMetricFamily, name, text, [(who, read_now(one)) for who, one in accounts.items()])
        for name, text, read_now in _NOW
    ]
    starts: Samples = [(who, restarts.get(who, 0)) for who in totals]
    rows.append((CounterMetricFamily, "container_restarts", "Starts after the first.", starts))
    return _text(rows)


async def stores(lab: Lab) -> bytes:
    """What PostgreSQL and the two Valkey servers say of themselves; a dead one is `up` 0."""
    rows: list[Row] = []
    up: Samples = []
    try:
        rows += await _postgres(lab)
        up.append(("postgres", 1))
    except (OSError, TimeoutError, asyncpg.PostgresError):
        up.append(("postgres", 0))
    gathered: dict[str, Samples] = {}
    for name in ("valkey", "orders"):
        try:
            for metric, value in (await _valkey(lab.ports[name])).items():
                gathered.setdefault(metric, []).append((name, value))
            up.append((name, 1))
        except (OSError, valkey.RedisError):
            up.append((name, 0))
    for metric, samples in gathered.items():
        counts = metric in {
            "redis_commands_processed",
            "redis_keyspace_hits",
            "redis_keyspace_misses",
        }
        family = CounterMetricFamily if counts else GaugeMetricFamily
        rows.append((family, metric, "From the server's INFO.", samples))
    rows.append((GaugeMetricFamily, "store_up", "Whether the server answers.", up))
    return _text(rows)


async def _postgres(lab: Lab) -> list[Row]:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=lab.ports["postgres"], user="shop", database="shop", timeout=2
    )
    try:
        row = await connection.fetchrow(
            "SELECT numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_inserted,"
            " (SELECT count(*) FROM pg_stat_activity WHERE state = 'active') AS active"
            " FROM pg_stat_database WHERE datname = 'shop'",
            timeout=2,
        )
    finally:
        await connection.close()
    gauges = {"pg_stat_database_numbackends": "numbackends", "pg_stat_activity_active": "active"}
    counters = {
        f"pg_stat_database_{column}": column
        for column in ("xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_inserted")
    }
    text = "From pg_stat_database."
    return [
        *(
            (GaugeMetricFamily, name, text, [("postgres", row[key])])
            for name, key in gauges.items()
        ),
        *(
            (CounterMetricFamily, name, text, [("postgres", row[key])])
            for name, key in counters.items()
        ),
    ]


async def _valkey(port: int) -> dict[str, float]:
    async with valkey.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
        info = await client.info()
        return {
            "redis_commands_processed": float(info["total_commands_processed"]),
            "redis_keyspace_hits": float(info["keyspace_hits"]),
            "redis_keyspace_misses": float(info["keyspace_misses"]),
            "redis_connected_clients": float(info["connected_clients"]),
            "redis_memory_used_bytes": float(info["used_memory"]),
            "redis_db_keys": float(await client.dbsize()),
        }


def _text(rows: Iterable[Row]) -> bytes:
    registry = CollectorRegistry()
    families: list[Metric] = []
    for kind, name, text, samples in rows:
        family = (
            CounterMetricFamily(name, text, labels=LABELS)
            if kind is CounterMetricFamily
            else GaugeMetricFamily(name, text, labels=LABELS)
        )
        for service, value in samples:
            family.add_metric((service, f"{service}-0"), value)
        families.append(family)
    registry.register(_Snapshot(families))
    return generate_latest(registry)
