"""How fast a bundle is read: `python bench/ingest.py [--mb 50]`; it writes one and reads it.

Prints one JSON object: sizes, processor seconds and rates by part, and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opsmith.ingest import assemble, bundle, openmetrics, otlp_logs, otlp_traces
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming

T0 = 1_767_225_600
SERVICES = 10
SPANS_OF_A_SERVICE = 3


def attributes(**told: str) -> list[dict[str, object]]:
    """Attributes of OTLP/JSON; `__` stands for a dot."""
    return [
        {"key": key.replace("__", "."), "value": {"stringValue": value}}
        for key, value in told.items()
    ]


def span(trace: int, number: int, kind: int) -> dict[str, object]:
    """One span as an exporter writes it."""
    start = int((T0 + trace * 0.05) * 1e9) + number * 1_000_000
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{number - 1:016x}" if number > 1 else "",
        "name": f"op-{number}",
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 5_000_000),
        "attributes": attributes(
            http__request__method="GET",
            http__route="/cart/{id}",
            url__path=f"/cart/{trace}",
            http__response__status_code="200",
        ),
        "status": {},
    }


def write_traces(path: Path, size_bytes: float, rng: random.Random) -> int:
    """Write about `size_bytes` of export requests; gives the number of spans."""
    trace = 0
    with path.open("w") as out:
        while out.tell() < size_bytes:
            sent = []
            for service in range(SERVICES):
                first = service * SPANS_OF_A_SERVICE + 1
                spans = [
                    span(trace + n, first + k, rng.choice((1, 2, 3)))
                    for n in range(40)
                    for k in range(SPANS_OF_A_SERVICE)
                ]
                resource_ = {"attributes": attributes(service__name=f"service-{service}")}
                sent.append({"resource": resource_, "scopeSpans": [{"spans": spans}]})
            trace += 40
            out.write(json.dumps({"resourceSpans": sent}) + "\n")
    return trace * SERVICES * SPANS_OF_A_SERVICE


def write_logs(path: Path, count: int, rng: random.Random) -> None:
    """Write `count` log records in batches of 50."""
    with path.open("w") as out:
        for batch in range(count // 50):
            records = [
                {
                    "timeUnixNano": str((T0 + batch) * 10**9),
                    "severityNumber": 9,
                    "body": {
                        "stringValue": f"order {rng.randrange(10**6)} of u{rng.randrange(999)}"
                        f" took {rng.random():.3f} ms in step {step % 20}"
                    },
                }
                for step in range(50)
            ]
            sent = {"attributes": attributes(service__name=f"service-{batch % SERVICES}")}
            scope = [{"scope": {"name": "shop"}, "logRecords": records}]
            group = {"resource": sent, "scopeLogs": scope}
            out.write(json.dumps({"resourceLogs": [group]}) + "\n")


def write_metrics(path: Path, series: int, points: int) -> None:
    """Write `series` times `points` samples of OpenMetrics."""
    with path.open("w") as out:
        for point in range(points):
            out.writelines(
                f'http_requests_total{{service="service-{number % SERVICES}",'
                f'instance="10.0.0.{number}:80",code="200"}} {point * 5} {T0 + 5 * point}\n'
                for number in range(series)
            )
        out.write("# EOF\n")


def timed(call: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=50.0, help="size of the traces")
    megabytes = parser.parse_args().mb
    rng = random.Random(7)  # noqa: S311 - a workload, no secret
    losses, naming = Losses(), Naming()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spans = write_traces(folder / "traces.jsonl", megabytes * 1e6, rng)
        write_logs(folder / "logs.jsonl", 100_000, rng)
        write_metrics(folder / "metrics.om", 2_000, 500)
        traces_s = timed(lambda: otlp_traces.read(folder / "traces.jsonl", naming, losses))
        logs_s = timed(lambda: otlp_logs.read(folder / "logs.jsonl", {}, naming, losses))
        metrics_s = timed(lambda: openmetrics.read(folder / "metrics.om", losses))
        samples = openmetrics.read(folder / "metrics.om", losses)
        assemble_s = timed(lambda: assemble.series(samples, naming))
        whole_s = timed(lambda: bundle.read(folder))
    told = {
        "traces": {"mb": megabytes, "spans": spans, "cpu_s": traces_s, "per_s": spans / traces_s},
        "logs": {"records": 100_000, "cpu_s": logs_s, "per_s": 1e5 / logs_s},
        "metrics": {"samples": 1_000_000, "cpu_s": metrics_s, "per_s": 1e6 / metrics_s},
        "assemble": {"series": 2_000, "cpu_s": assemble_s},
        "whole_bundle_cpu_s": whole_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
