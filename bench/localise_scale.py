"""Measure `localise` on generated systems: seconds and peak memory against the series.

    .venv/bin/python bench/localise_scale.py [--services 1000] [--edges 5000] [--points 500]
        [--series 5000,50000,200000] [-o json]

One service is made slow and its callers up to the entrance with it; every other series is
noise. Each size runs in a process of its own, so that the peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np

from opsmith.localise import localise
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology

START_S = 1_700_000_000.0
STEP_S = 15.0
INCIDENT_POINTS = 20
ASPECTS = (
    ("request_duration_seconds:mean", Aspect.LATENCY, Unit.SECONDS, MetricKind.GAUGE),
    ("requests:error_ratio", Aspect.ERRORS, Unit.RATIO, MetricKind.GAUGE),
    ("cpu_usage_ratio", Aspect.CPU, Unit.RATIO, MetricKind.GAUGE),
    ("memory_bytes", Aspect.MEMORY, Unit.BYTES, MetricKind.GAUGE),
    ("requests_total", Aspect.TRAFFIC, Unit.COUNT, MetricKind.COUNTER),
)


def generate(services: int, edges: int, series: int, points: int) -> tuple[Recording, Entity]:
    """A layered call graph with one slow service, and who that is."""
    rng = np.random.default_rng(7)
    names = [Entity.service(f"s{number:05d}") for number in range(services)]
    pairs = {(int(rng.integers(0, n)), n) for n in range(1, services)}
    while len(pairs) < edges:
        caller, callee = sorted(rng.integers(0, services, 2).tolist())
        if caller != callee:
            pairs.add((caller, callee))
    calls = [Edge(source=names[a], target=names[b], kind=EdgeKind.CALLS) for a, b in sorted(pairs)]
    cause = services // 2
    callers = {cause}
    way = cause
    while way:
        way = min(a for a, b in pairs if b == way)
        callers.add(way)
    times_s = START_S + STEP_S * np.arange(points)
    alarm_s = float(times_s[-INCIDENT_POINTS])
    made = tuple(
        one_series(
            rng, names[number % services], number, times_s, slow=number % services in callers
        )
        for number in range(series)
    )
    alert = Alert(
        fingerprint="a",
        name="LatencyHigh",
        entity=names[0],
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="request_duration_seconds:mean",
        severity="page",
        starts_at=moment(alarm_s + STEP_S),
        ends_at=None,
    )
    recording = Recording(
        name="generated",
        window=Window(start=moment(alarm_s), end=moment(float(times_s[-1]) + 1.0)),
        alerting=(names[0],),
        alerts=(alert,),
        series=made,
        topology=Topology(entities=tuple(names), edges=tuple(calls)),
    )
    return recording, names[cause]


def one_series(
    rng: np.random.Generator, entity: Entity, number: int, times_s: np.ndarray, *, slow: bool
) -> Series:
    """Noise; the latency of a slow service rises by a second in the incident."""
    name, aspect, unit, kind = ASPECTS[number // 1000 % len(ASPECTS)]
    values = 0.1 + 0.01 * rng.standard_normal(len(times_s))
    if aspect is Aspect.LATENCY and slow:
        values[-INCIDENT_POINTS:] += 1.0
    if kind is MetricKind.COUNTER:
        values = np.cumsum(np.abs(values))
    labels = (("replica", str(number)), ("service", entity.name))
    return Series(
        name=name,
        labels=labels,
        entity=entity,
        aspect=aspect,
        unit=unit,
        kind=kind,
        times_s=times_s,
        values=values,
    )


def moment(at_s: float) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(at_s, tz=UTC)


def measure(services: int, edges: int, series: int, points: int) -> dict[str, float]:
    """Seconds by the clock and of the processor, memory of the data and at most, the rank."""
    recording, cause = generate(services, edges, series, points)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, busy = time.perf_counter(), time.process_time()
    diagnosis = localise(recording)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rank = [one.entity for one in diagnosis.causes].index(cause) + 1
    return {
        "series": series,
        "seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "data_mib": round(before / 1024),
        "peak_mib": round(peak / 1024),
        "rank_of_cause": rank,
    }


def main() -> None:
    """Run every size in its own process and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--edges", type=int, default=5000)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--series", default="5000,50000,200000")
    parser.add_argument("-o", dest="output", choices=["text", "json"], default="text")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.here:
        size = measure(told.services, told.edges, int(told.series), told.points)
        print(json.dumps(size))
        return
    rows = []
    for series in told.series.split(","):
        command = [sys.executable, __file__, "--here", "--series", series]
        command += ["--services", str(told.services), "--edges", str(told.edges)]
        command += ["--points", str(told.points)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
        if told.output == "text":
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if told.output == "json":
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
