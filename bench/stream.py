"""What a point costs: latency of one, points a second a core for many series, memory a series.

python bench/stream.py [-o json]    CPU time of one process, after compilation.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from opsmith.detect.fleet import Fleet

WARM = 200  # points a series before the clock starts
POINTS = {1: 100_000, 1_000: 300_000, 100_000: 300_000}


def one_point() -> dict[str, float]:
    """Median and 99th percentile of one point of one series from Python, in wall microseconds."""
    fleet, rng = Fleet(), np.random.default_rng(1)
    row = fleet.row("one")
    values = rng.normal(size=20_000).tolist()
    taken = []
    for n, value in enumerate(values):
        start = time.perf_counter_ns()
        fleet.push(row, 60.0 * n, value)
        taken.append(time.perf_counter_ns() - start)
    costs = np.array(taken[WARM:]) / 1000.0
    return {"median_us": float(np.median(costs)), "p99_us": float(np.percentile(costs, 99))}


def many(series: int) -> dict[str, float]:
    """CPU microseconds a point and points a second a core, all series in turn in each call."""
    fleet, rng = Fleet(), np.random.default_rng(2)
    for number in range(series):
        fleet.row(str(number))
    rows = np.arange(series)
    samples = np.zeros((series, 2))
    spent, done, n = 0.0, 0, 0
    while done < POINTS[series]:
        samples[:, 0] = 60.0 * n
        samples[:, 1] = rng.normal(size=series)
        start = time.process_time()
        fleet.take(rows, samples)
        if n >= (WARM if series < 100_000 else WARM // 2):
            spent += time.process_time() - start
            done += series
        n += 1
    return {
        "us_a_point": 1e6 * spent / done,
        "points_a_second": done / spent,
        "bytes_a_series": fleet.state.bytes_a_series,
    }


def block() -> dict[str, float]:
    """One series, many points in one call."""
    fleet, rng = Fleet(), np.random.default_rng(3)
    row, points = fleet.row("one"), POINTS[1]
    samples = np.stack((60.0 * np.arange(points), rng.normal(size=points)), axis=1)
    start = time.process_time()
    fleet.take(np.full(points, row), samples)
    spent = time.process_time() - start
    return {"us_a_point": 1e6 * spent / points, "points_a_second": points / spent}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    asked = parser.parse_args()
    report = {
        "one point from Python": one_point(),
        "1 series, one call": block(),
        "1,000 series": many(1_000),
        "100,000 series": many(100_000),
    }
    rounded = {k: {name: round(x, 2) for name, x in v.items()} for k, v in report.items()}
    print(json.dumps(rounded, indent=None if asked.output == "json" else 1))


if __name__ == "__main__":
    main()
