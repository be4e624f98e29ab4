"""Measure the collector: samples a second, new series a second, the error of what it folds, bias.

Usage: python bench/collector.py [--seconds N] [--trials N] [-o text|json]
The peer beside it is prometheus_client, which counts the same samples without folding them.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import time
from random import Random

from prometheus_client import CollectorRegistry, Counter

from opsmith.ingest.collector import OVERFLOW, Collector, Row
from opsmith.ingest.distinct import Distinct, stable_hash
from opsmith.ingest.folding import FoldingRules
from opsmith.ingest.thinning import Thinning, ThinningRules

SAMPLES = 400_000
SERIES = 2_000
NEW_A_SECOND = 1_000


def rows(count: int) -> list[Row]:
    """Samples of `SERIES` series, as a receiver has parsed them: each with a label set anew."""
    return [
        (
            (
                ("__name__", "calls"),
                ("service", f"service-{n % 20}"),
                ("status_code", ("UNSET", "ERROR")[n % 2]),
                ("span_kind", "SERVER"),
                ("span_name", f"GET /v1/{n % SERIES % 100}"),
            ),
            0.1,
            1.0,
        )
        for n in range(count)
    ]


def speed() -> dict[str, float]:
    """Samples a second of CPU time, beside prometheus_client's on the same samples."""
    told, collector = rows(SAMPLES), Collector()
    began = time.process_time()
    collector.take(told, at_s=0.0)
    ours = SAMPLES / (time.process_time() - began)
    names = [key for key, _ in told[0][0][1:]]
    peer = Counter("calls", "Peer.", names, registry=CollectorRegistry())
    began = time.process_time()
    for labels, value, _ in told[: SAMPLES // 4]:
        peer.labels(*[text for _, text in labels[1:]]).inc(value)
    theirs = SAMPLES / 4 / (time.process_time() - began)
    return {"samples_per_cpu_s": ours, "prometheus_client_samples_per_cpu_s": theirs}


def churn(seconds: int) -> dict[str, float]:
    """New label sets without end: half by pods that come and go, half by a request's id."""
    collector, seen = Collector(), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    for second in range(seconds):
        batch = [
            (
                (
                    ("__name__", f"calls_{n % 10}"),
                    ("service", f"service-{n % 50}"),
                    ("pod" if n % 2 else "request", f"{second}-{n}"),
                ),
                1.0,
                1.0,
            )
            for n in range(NEW_A_SECOND)
        ]
        collector.take(batch, at_s=float(second))
        seen += len(batch)
        if second % 60 == 0:
            collector.tidy(at_s=float(second))
    used = time.process_time() - began
    counted = sum(total.count for total in collector.totals())
    return {
        "new_sets": seen,
        "cpu_s": used,
        "series_followed": len(collector),
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "resident_mib_before": before / 1024,
        "observations_lost": seen - counted,
        "overflowed": collector.overflowed,
    }


def combinations(count: int) -> dict[str, float]:
    """Label sets that explode by combination, each label alone being tame: the budget's case."""
    collector = Collector()
    collector.take(
        (
            (
                (
                    ("__name__", "calls"),
                    *((f"l{place}", f"v{n // 100**place % 100}") for place in range(3)),
                ),
                1.0,
                1.0,
            )
            for n in range(count)
        ),
        at_s=0.0,
    )
    (overflow,) = (total for total in collector.totals() if OVERFLOW in total.labels)
    return {
        "sets": count,
        "series_followed": len(collector),
        "in_overflow": overflow.count,
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def folding(trials: int) -> dict[str, float]:
    """The error of distinct counts in units of the stated one, and of the values kept apart."""
    scaled, apart, lost = [], [], 0.0
    for trial in range(trials):
        number = 1_000 * 2 ** (trial % 6)
        sketch = Distinct()
        for value in range(number):
            sketch.add(stable_hash(f"{trial}/{value}"))
        scaled.append((sketch.count() / number - 1) / Distinct.ERROR)
        collector = Collector(rules=FoldingRules(unique_share=2.0))
        told = [
            ((("__name__", "calls"), ("path", f"/{trial}/{n % number}")), 1.0, 1.0)
            for n in range(2 * number)
        ]
        collector.take(told, at_s=0.0)
        lost += sum(total.count for total in collector.totals()) - len(told)
        own = sum("~" not in dict(total.labels)["path"] for total in collector.totals())
        apart.append((own - 128) / (number - 128))
    return {
        "distinct_error_stated": Distinct.ERROR,
        "distinct_error_rms": Distinct.ERROR * math.sqrt(statistics.fmean(z * z for z in scaled)),
        "distinct_error_worst": Distinct.ERROR * max(map(abs, scaled)),
        "new_values_kept_apart_stated": 0.01,
        "new_values_kept_apart": statistics.fmean(apart),
        "observations_lost": lost,
    }


def bias(trials: int) -> dict[str, float]:
    """Z of weighted counts and sums over streams whose rate goes through all steps.

    A sum of squares of z beyond its chi-square's 99.9 % would tell a bias or a wrong variance.
    """
    counts, sums, kept = [], [], 0.0
    for trial in range(trials):
        rng, thinning = Random(trial), Thinning(ThinningRules())  # noqa: S311 - no secret
        off_count = off_sum = variance = variance_sum = 0.0
        for second in range(90):
            rate = (40, 300, 9_000)[min(second // 15, 2)] if second < 60 else 200
            for number in range(rate):
                value = rng.lognormvariate(0.0, 1.0)
                now_s = second + number / rate
                weight = thinning.weight("a", rng.random(), now_s=now_s)
                share = thinning.shares()["a"][1]
                off_count += weight - 1.0
                off_sum += (weight - 1.0) * value
                variance += (1.0 - share) / share
                variance_sum += (1.0 - share) / share * value * value
        counts.append(off_count / math.sqrt(variance))
        sums.append(off_sum / math.sqrt(variance_sum))
        kept += thinning.kept / thinning.seen / trials
    return {
        "trials": trials,
        "share_kept": kept,
        "z_count_mean_scaled": statistics.fmean(counts) * math.sqrt(trials),
        "z_sum_mean_scaled": statistics.fmean(sums) * math.sqrt(trials),
        "z_count_variance": statistics.fmean(z * z for z in counts),
        "z_sum_variance": statistics.fmean(z * z for z in sums),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    chosen = parser.parse_args()
    found = {
        "churn": churn(chosen.seconds),
        "speed": speed(),
        "combinations": combinations(600_000),
        "folding": folding(chosen.trials),
        "bias": bias(chosen.trials),
    }
    if chosen.output == "json":
        print(json.dumps(found, indent=2))
        return
    for part, figures in found.items():
        print(part)
        for name, value in figures.items():
            print(f"  {name:<38}{value:,.4g}")


if __name__ == "__main__":
    main()
