"""How long a fleet of series takes, and how much memory: python bench/fleet.py [--series N].

Random daily waves with noise and trends, 2,016 five-minute points each, one day ahead.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np

from opsmith.flows.fleet import forecast_fleet
from opsmith.wiring.prediction import spread_over


def main() -> None:
    """Run it and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=288)
    parser.add_argument("--dask", help="address of a scheduler")
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    t = np.arange(2_016, dtype=np.float32)
    y = np.empty((chosen.series, t.size), dtype=np.float32)
    for row in range(chosen.series):
        wave = rng.random() * np.sin(2 * np.pi * (t / 288 + rng.random()))
        y[row] = 10 + wave + 0.3 * rng.standard_normal(t.size) + rng.normal(0, 1e-3) * t
    done = 0

    def progress(rows: int) -> None:
        nonlocal done
        done += rows
        print(f"\r{done:,} of {chosen.series:,}", end="", file=sys.stderr, flush=True)

    cpu, wall = time.process_time(), time.perf_counter()
    found = forecast_fleet(
        y, step_s=300.0, steps=chosen.steps, spread=spread_over(chosen.dask), progress=progress
    )
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"\n{chosen.series:,} series: {wall:.0f} s wall, {cpu:.0f} s CPU, peak {peak:.2f} GiB, "
        f"answer {found.quantiles.nbytes / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
