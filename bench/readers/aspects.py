"""What a metric measures, read off the words of its name by general rules."""

from __future__ import annotations

import re

from opsmith.nouns.series import Aspect

# The first rule with a word of the name wins: a resource before the time that it takes, so that
# the waiting time of a disk speaks of the disk.
RULES: tuple[tuple[Aspect, frozenset[str]], ...] = (
    (Aspect.CPU, frozenset({"cpu", "load", "core"})),
    (
        Aspect.MEMORY,
        frozenset({"mem", "memory", "rss", "heap", "anon", "swap", "pgfault", "pgmajfault"}),
    ),
    (
        Aspect.DISK,
        frozenset({"disk", "diskio", "fs", "filesystem", "io", "iostat", "volume", "vda", "sda"}),
    ),
    (
        Aspect.NETWORK,
        frozenset(
            {
                "net",
                "network",
                "eth0",
                "tcp",
                "socket",
                "packets",
                "receive",
                "transmit",
                "retrans",
            }
        ),
    ),
    (Aspect.RESTARTS, frozenset({"restart", "restarts", "uptime"})),
    (
        Aspect.POOL,
        frozenset({"thread", "threads", "pool", "connection", "connections", "clients"}),
    ),
    (Aspect.FILES, frozenset({"fd", "fds", "files"})),
    (
        Aspect.ERRORS,
        frozenset({"error", "errors", "fail", "failed", "failure", "success", "sr", "rr", "5xx"}),
    ),
    (
        Aspect.LATENCY,
        frozenset(
            {
                "latency",
                "duration",
                "mrt",
                "rt",
                "rtt",
                "delay",
                "p50",
                "p90",
                "p95",
                "p99",
                "time",
            }
        ),
    ),
    (Aspect.TRAFFIC, frozenset({"qps", "rps", "tps", "request", "requests", "calls", "traffic"})),
    (Aspect.CACHE, frozenset({"keyspace", "hit", "hits", "miss", "misses", "evicted", "cache"})),
)


def aspect_of(metric: str) -> Aspect:
    """The aspect that the name's words speak of.

    >>> aspect_of("container_fs_reads./dev/vda")
    <Aspect.DISK: 'disk'>
    """
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    for aspect, known in RULES:
        if words & known:
            return aspect
    return Aspect.OTHER
