"""What a metric's name says: which side of its entity it measures, in which unit, how it counts.

Sources: Prometheus "Metric and label naming"; OpenMetrics 1.0, "Units and Base Units"; the RED
method (rate, errors, duration) and the USE method (utilisation, saturation, errors); the names
that cAdvisor, node-exporter, the Prometheus client libraries, kube-state-metrics and
OpenTelemetry's semantic conventions give.
"""

from __future__ import annotations

import re
from functools import lru_cache

from opsmith.nouns.series import Aspect, MetricKind, Unit

# Words are matched at the start of a part of the name, in this order: what is particular first.
_ASPECTS: tuple[tuple[Aspect, str], ...] = (
    (Aspect.RESTARTS, r"restarts?|start_time|uptime|boot|up$|oom|last_terminated"),
    (Aspect.FILES, r"open_fds|max_fds|fds|file_?descriptors?|filefd|open_files"),
    (Aspect.POOL, r"pool|hikaricp|connections?|conns?|sessions?_active|idle_in|max_open|in_use"),
    (Aspect.CPU, r"cpu|throttl|load[0-9]+|processor|schedstat|run_?queue"),
    (
        Aspect.MEMORY,
        r"mem(ory|stats)?|heap|rss|resident|swap|working_set|alloc|gc|stack|mspan|mcache|virtual",
    ),
    (
        Aspect.ERRORS,
        r"err(or)?s?|fail(ed|ure|ures|s)?|faults?|exceptions?|panics?|5xx|abort(ed|s)?",
    ),
    (Aspect.ERRORS, r"reject(ed|s)?|refused|time_?outs?|drop(ped|s)?"),
    (
        Aspect.LATENCY,
        r"latency|latencies|duration|response_?time|elapsed|request_?time|rtt?|delay|wait|p[59]\d",
    ),
    (Aspect.QUEUE, r"queued?|backlog|lag|pending|unacked|ready|consumers?|inflight|in_flight"),
    (Aspect.CACHE, r"cache|hits?|miss(es)?|evict(ed|ions?)?|keyspace|hit_ratio"),
    (Aspect.DISK, r"disk|filesystem|fs|volume|inodes?|io|iops|reads?|writes?|wal|fsync"),
    (
        Aspect.NETWORK,
        r"network|net|tcp|udp|packets?|receive|transmit|rx|tx|retrans|resets?|socket|sockstat",
    ),
    (Aspect.TRAFFIC, r"requests?|calls?|qps|rps|tps|http|grpc|rpc|messages?|ops|operations?"),
    (Aspect.TRAFFIC, r"throughput|queries|commands?|transactions?|xact|orders?|ingress"),
)
_ASPECT_WORDS = tuple(
    (aspect, re.compile(rf"(?:^|_)(?:{words})(?=_|$|\d)")) for aspect, words in _ASPECTS
)

# Suffix (after `_total` and the like are gone), unit, and the factor that makes it that unit.
_UNITS: tuple[tuple[str, Unit, float], ...] = (
    (r"bytes_per_seconds?|bps|bytes_s", Unit.BYTES_PER_SECOND, 1.0),
    (r"per_seconds?|persec|qps|rps|tps|iops|rate\d*[smh]?", Unit.PER_SECOND, 1.0),
    (r"milliseconds?|millis|msecs?|ms", Unit.SECONDS, 1e-3),
    (r"microseconds?|micros|usecs?|us", Unit.SECONDS, 1e-6),
    (r"nanoseconds?|nanos|nsecs?|ns", Unit.SECONDS, 1e-9),
    (r"minutes?", Unit.SECONDS, 60.0),
    (r"seconds?|secs?", Unit.SECONDS, 1.0),
    (r"kilobytes|kib|kb", Unit.BYTES, 1024.0),
    (r"megabytes|mib|mb", Unit.BYTES, 1024.0**2),
    (r"gigabytes|gib|gb", Unit.BYTES, 1024.0**3),
    (r"bytes?", Unit.BYTES, 1.0),
    (r"percent(age)?|pct|percentile", Unit.RATIO, 1e-2),
    (r"ratio|fraction|utili[sz]ation|usage_rate", Unit.RATIO, 1.0),
)
_UNIT_WORDS = tuple(
    (re.compile(rf"(?:^|_)(?:{words})$"), unit, factor) for words, unit, factor in _UNITS
)
_TAIL = re.compile(r"(_total|_sum|_count|_bucket|_max|_min|_avg|_mean|_p\d+|_current|_info)+$")
_COUNTED = re.compile(r"_(total|count|sum|bucket)$")
# What is counted one by one, when it stands last.
_THINGS = re.compile(
    r"(?:^|_)(connections?|conns?|clients|backends|requests?|fds|threads?|goroutines|messages?"
    r"|errors?|restarts?|queue_(?:depth|size|length)|backlog|lag|pending|replicas|pods|sessions?"
    r"|objects|keys|cores)"
    r"(?:_(?:used|idle|active|in_use|open|free|max|min|limit|pending|waiting|usage|available))*$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_GAUGES = frozenset({"gauge", "info", "stateset", "gaugehistogram"})


def words(name: str) -> str:
    """The name as lower-case words joined by `_`.

    >>> words("http.server.requestDuration")
    'http_server_request_duration'
    """
    return _NO_WORD.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


@lru_cache(maxsize=65536)
def aspect(name: str) -> Aspect:
    """The side of its entity that a metric, an operation or an alert of this name speaks of.

    >>> aspect("container_cpu_usage_seconds_total"), aspect("HighErrorRate")
    (<Aspect.CPU: 'cpu'>, <Aspect.ERRORS: 'errors'>)
    """
    text = words(name)
    found = next((found for found, pattern in _ASPECT_WORDS if pattern.search(text)), None)
    if found is Aspect.LATENCY and text.endswith("_count"):
        return Aspect.TRAFFIC  # how many were timed
    if found is not None:
        return found
    return Aspect.LATENCY if unit(name)[0] is Unit.SECONDS else Aspect.OTHER


@lru_cache(maxsize=65536)
def unit(name: str) -> tuple[Unit, float]:
    """The unit of the values and the factor that brings them to it.

    >>> unit("http_request_duration_milliseconds")
    (<Unit.SECONDS: 'seconds'>, 0.001)
    """
    text = words(name)
    bare = text if text.endswith("_rate") else _TAIL.sub("", text)
    if text.endswith(("_count", "_bucket")):
        return Unit.COUNT, 1.0
    for pattern, found, factor in _UNIT_WORDS:
        if pattern.search(bare):
            return found, factor
    counted = _COUNTED.search(text) or _THINGS.search(text)
    return (Unit.COUNT if counted else Unit.UNKNOWN), 1.0


@lru_cache(maxsize=65536)
def kind(name: str, declared: str) -> MetricKind:
    """Counter or gauge: as declared, else by the name's ending (`_total`, `_count`, ...).

    >>> kind("http_requests_total", "")
    <MetricKind.COUNTER: 'counter'>
    """
    if declared == "counter":
        return MetricKind.COUNTER
    if declared in _GAUGES:
        return MetricKind.GAUGE
    return MetricKind.COUNTER if _COUNTED.search(words(name)) else MetricKind.GAUGE
