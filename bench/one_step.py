"""Which one-step prediction serves the detector: local levels or LightGBM, both measured.

python bench/one_step.py --data DIR [DIR ...]

Trains on three quarters of the series (at most 2,000 points each, in window deviations) and
predicts the rest, four times round; then detects with each and scores the labelled points.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import lightgbm
import numpy as np
from anomaly_data import LabelledSeries, read_set
from anomaly_scores import Floats, Judged, f1_curve, vus_pr
from numpy.typing import NDArray

from opsmith.detect.fleet import Fleet
from opsmith.detect.predict import INPUTS, Trees, follow, inputs
from opsmith.detect.state import LEVEL_ERRORS, LEVELS, WINDOW, fresh
from opsmith.detect.step import POINT
from opsmith.detect.trees import flat_trees
from opsmith.detect.window import mean_of, push, variance_of

FOLDS, MOST = 4, 2_000
SETTINGS = {
    "objective": "l1",
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "verbose": -1,
    "num_threads": 1,
    "seed": 0,
}


def examples(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Inputs, the next value and what the best level says of it, in window deviations."""
    y = values[np.isfinite(values)]
    state, x = fresh(1), np.zeros((max(0, len(y) - WINDOW), INPUTS))
    next_value, level = np.zeros(len(x)), np.zeros(len(x))
    scalars, ring, order = state.scalars[0], state.ring[0], state.order[0]
    for row, value in enumerate(y):
        if row >= WINDOW:
            at, mean = row - WINDOW, mean_of(scalars)
            scale = max(np.sqrt(variance_of(scalars)), 1e-12 + 1e-9 * abs(mean))
            inputs(scalars, ring, order, x[at])
            best = int(np.argmin(scalars[LEVEL_ERRORS : LEVEL_ERRORS + 3]))
            next_value[at] = (value - mean) / scale
            level[at] = (scalars[LEVELS + best] - mean) / scale
        follow(scalars, value)
        push(scalars, ring, order, value)
    return x, next_value, level


def trained(series: list[LabelledSeries]) -> lightgbm.Booster:
    """One model over all series, 60 trees of 15 leaves."""
    rng, xs, ys = np.random.default_rng(0), [], []
    for one in series:
        x, y, _ = examples(one.values[: 4 * MOST])
        kept = rng.permutation(len(x))[:MOST]
        xs.append(x[kept])
        ys.append(np.clip(y[kept], -10, 10))
    data = lightgbm.Dataset(np.concatenate(xs), np.concatenate(ys))
    return lightgbm.train(SETTINGS, data, num_boost_round=60)


def error(difference: Floats) -> float:
    """Mean absolute error; one wild point counts at most 10 deviations."""
    return float(np.mean(np.minimum(np.abs(difference), 10.0)))


def detected(one: LabelledSeries, trees: Trees | None) -> tuple[Judged, float]:
    """Point scores with these trees, and CPU seconds."""
    fleet = Fleet(trees=trees)
    fleet.row("bench")
    samples = np.stack((one.times_s, one.values), axis=1)
    start = time.process_time()
    scores = fleet.take(np.zeros(len(samples), np.int64), samples)[:, POINT]
    spent = time.process_time() - start
    judged = Judged(scores=scores, labels=one.labels, windows=one.windows, probation=one.probation)
    return judged, spent


def compared(series: list[LabelledSeries], fold: NDArray[np.int64]) -> dict[str, object]:
    """Errors, detection and cost of both."""
    errors, found = [], {"levels": [], "LightGBM": []}
    for part in range(FOLDS):
        booster = trained([one for one, f in zip(series, fold, strict=True) if f != part])
        trees = flat_trees(booster.dump_model())
        detected(series[0], trees)  # compile outside the clock
        for one in (one for one, f in zip(series, fold, strict=True) if f == part):
            x, y, level = examples(one.values[: 4 * MOST])
            errors.append((error(y - booster.predict(x)), error(y - level)))
            found["LightGBM"].append(detected(one, trees))
            found["levels"].append(detected(one, None))
    errors_by = dict(zip(("LightGBM", "levels"), np.array(errors).T, strict=True))
    return {name: _figures(errors_by[name], found[name]) for name in found}


def _figures(errors: Floats, found: list[tuple[Judged, float]]) -> dict[str, float]:
    judged = [one for one, _ in found if one.labels.any()]
    points = sum(len(one.scores) for one, _ in found)
    return {
        "mean_error": round(float(errors.mean()), 3),
        "median_error": round(float(np.median(errors)), 3),
        "vus_pr": round(float(np.nanmean([vus_pr(one) for one in judged])), 3),
        "pooled_f1_best": round(float(f1_curve(judged)[1].max()), 3),
        "us_a_point": round(1e6 * sum(spent for _, spent in found) / points, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    series = [one for folder in parser.parse_args().data for one in read_set(folder)[1]]
    fold = np.random.default_rng(0).integers(0, FOLDS, len(series))
    print(json.dumps(compared(series, fold), indent=1))


if __name__ == "__main__":
    main()
