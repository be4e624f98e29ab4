"""How well anomalies are found: NAB, VUS-PR, pooled F1, false alarms and synthetic faults.

python bench/anomaly.py --data DIR [--fit DIR] [--scores DIR] [-o json] [--no-peers]

DIR is a folder laid out as nab, ms-cloud, netman-kpi-sample or prometheus-dump, or a folder of
such; which one is told from its files. Thresholds come from --fit alone (without it from DIR,
and the answer says so). NAB scores alarms, so it gets the alarm score behind the cool-down; the
point-labelled sets get the point score. --scores writes `<category>/opsmith_<file>.csv` with
columns timestamp and anomaly_score.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from anomaly_data import LabelledSeries, read_set, sets_in
from anomaly_peers import PUBLISHED_NAB, installed
from anomaly_scores import (
    PROFILES,
    Floats,
    Judged,
    f1_curve,
    false_rows,
    nab_at,
    nab_curve,
    pooled_f1,
    vus_pr,
)
from faults import Clean, Faulty, clean_stretch, inject

from opsmith.detect.fleet import COOL_DOWN_S, THRESHOLD_DEFAULT, Fleet
from opsmith.detect.step import ALARM, CODE, OUTAGE, POINT, SCORE, WORSE

BUDGET = 0.1  # alarms a series-day, of the synthetic fault bench
HOUR_S = 3600.0

Detector = Callable[[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One detector over one set: scores for points and for alarms, CPU and wall seconds."""

    points: list[Judged]
    alarms: list[Judged]
    cpu_s: float
    wall_s: float


def ours(times_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Point score and alarm score of each row; a row that was left out scores 0."""
    answers = answered(times_s, values)
    return answers[:, POINT], answers[:, SCORE]


def answered(times_s: Floats, values: Floats) -> Floats:
    """All that the detector says of a series, from fresh."""
    fleet = Fleet()
    fleet.row("bench")
    samples = np.stack((times_s, values), axis=1)
    return fleet.take(np.zeros(len(values), np.int64), samples)


def cooled(times_s: Floats, scores: Floats) -> Floats:
    """What is left of alarm scores when each silences lower ones for the cool-down.

    The kernel does the same at its threshold; this does it for all thresholds at once.
    """
    left, bar, since = np.zeros_like(scores), 0.0, -np.inf
    for row, (at, score) in enumerate(zip(times_s, scores, strict=True)):
        if at - since > COOL_DOWN_S:
            bar = 0.0
        if score > WORSE * bar:
            left[row] = bar = score
            since = at
    return left


def run(series: list[LabelledSeries], detector: Detector) -> Run:
    """Score every row of every series."""
    detector(series[0].times_s[:200], series[0].values[:200])  # compile outside the clock
    points, alarms, cpu_s, wall_s = [], [], 0.0, 0.0
    for one in series:
        cpu, wall = time.process_time(), time.perf_counter()
        point, alarm = detector(one.times_s, one.values)
        cpu_s += time.process_time() - cpu
        wall_s += time.perf_counter() - wall
        points.append(_judged(one, point))
        alarms.append(_judged(one, cooled(one.times_s, alarm)))
    return Run(points=points, alarms=alarms, cpu_s=cpu_s, wall_s=wall_s)


def _judged(one: LabelledSeries, scores: Floats) -> Judged:
    return Judged(scores=scores, labels=one.labels, windows=one.windows, probation=one.probation)


def steady_best(thresholds: Floats, gains: Floats) -> float:
    """The middle of the plateau whose gain is within 2 % of the best, not its lucky peak."""
    finite = np.isfinite(thresholds)
    thresholds, gains = thresholds[finite], gains[finite]
    near = np.flatnonzero(gains >= gains.max() - 0.02 * abs(gains.max()))
    return float(np.median(thresholds[near]))


def judge(layout: str, test: Run, fit: Run, series: list[LabelledSeries]) -> dict[str, object]:
    """All figures of one detector on one set."""
    rows = sum(len(one.values) for one in series)
    report: dict[str, object] = {
        "cpu_us_a_point": round(1e6 * test.cpu_s / rows, 2),
        "wall_us_a_point": round(1e6 * test.wall_s / rows, 2),
    }
    if layout == "nab":
        for profile in PROFILES:
            threshold = steady_best(*nab_curve(fit.alarms, profile))
            report[f"nab_{profile}"] = round(nab_at(test.alarms, threshold, profile), 1)
            report[f"nab_{profile}_best"] = round(
                float(nab_curve(test.alarms, profile)[1].max()), 1
            )
        threshold = steady_best(*nab_curve(fit.alarms))
        report["threshold"] = round(threshold, 4)
        days = sum(one.days for one in series)
        report["false_alarms_a_day_at_fit"] = round(false_rows(test.alarms, threshold) / days, 3)
    if any(one.labelled for one in series):
        report["vus_pr"] = round(float(np.nanmean([vus_pr(one) for one in test.points])), 3)
        threshold = steady_best(*f1_curve(fit.points))
        report["pooled_f1"] = round(pooled_f1(test.points, threshold), 3)
        report["pooled_f1_best"] = round(float(f1_curve(test.points)[1].max()), 3)
        report["f1_threshold"] = round(threshold, 4)
    return report


def shipped(series: list[LabelledSeries]) -> dict[str, object]:
    """Pages at the shipped threshold: all, false ones and those of a fresh start's first hour."""
    pages = false = early = 0
    days = 0.0
    for one in series:
        codes = answered(one.times_s, one.values)[:, CODE]
        paged = np.isin(codes, (ALARM, OUTAGE))
        early += int(paged[one.times_s - one.times_s[0] < HOUR_S].sum())
        pages += int(paged.sum())
        false += int((paged & ~one.labels)[one.probation :].sum())
        days += one.days
    return {
        "threshold": THRESHOLD_DEFAULT,
        "series_days": round(days, 1),
        "alarms": pages,
        "alarms_outside_labels_a_day": round(false / days, 3),
        "first_hour_pages": early,
    }


def synthetic(series: list[LabelledSeries]) -> dict[str, object]:
    """Recall on seeded faults at the threshold that gives BUDGET alarms a clean series-day."""
    clean = [stretch for one in series if (stretch := _stretch(one)) is not None]
    if not clean:
        return {"clean_series": 0}
    left, days = [], 0.0
    for one in clean:
        warm = min(int(0.15 * len(one.values)), 750)
        left.append(cooled(one.times_s, ours(one.times_s, one.values)[1])[warm:])
        days += float(one.times_s[-1] - one.times_s[warm]) / 86400.0
    ranked = np.sort(np.concatenate(left))[::-1]
    threshold = float(ranked[int(BUDGET * days)])
    found: dict[str, list[bool]] = {}
    for seed, one in enumerate(clean):
        for fault in inject(one, seed=seed, each=2):
            found.setdefault(fault.kind, []).append(_seen(fault, threshold))
    each = {kind: round(float(np.mean(hits)), 2) for kind, hits in found.items()}
    everything = [hit for hits in found.values() for hit in hits]
    return {
        "clean_series": len(clean),
        "series_days": round(days, 1),
        "threshold": round(threshold, 4),
        "faults": len(everything),
        "recall": round(float(np.mean(everything)), 3) if everything else None,
        "recall_by_kind": each,
    }


def _stretch(one: LabelledSeries) -> Clean | None:
    real = np.isfinite(one.values)
    if "_count" in one.name:  # a counter: its faults are those of its rate
        return None
    return clean_stretch(one.times_s[real], one.values[real], one.labels[real], name=one.name)


def _seen(fault: Faulty, threshold: float) -> bool:
    scores = cooled(fault.clean.times_s, ours(fault.clean.times_s, fault.values)[1])
    return bool(scores[fault.first : fault.last + 1].max() > threshold)


def write_scores(folder: Path, layout: str, series: list[LabelledSeries], test: Run) -> None:
    """One CSV a series, as scorers of the NAB layout read them."""
    for number, one in enumerate(series):
        path = folder / Path(one.name).parent / f"opsmith_{Path(one.name).name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        judged = (test.alarms if layout == "nab" else test.points)[number]
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(("timestamp", "anomaly_score"))
            out.writerows(zip(one.stamps, judged.scores.tolist(), strict=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", type=Path)
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    asked = parser.parse_args()
    data = sets_in(asked.data)
    fits = sets_in(asked.fit) if asked.fit else {}
    alone = len(data) == 1 and len(fits) <= 1
    reports = {}
    for name, folder in data.items():
        fit = next(iter(fits.values()), None) if alone else fits.get(name)
        if asked.fit and fit is None:
            print(f"{asked.fit / name}: not there; {name} is skipped.", file=sys.stderr)
            continue
        scores = asked.scores and (asked.scores if alone else asked.scores / name)
        reports[name] = measure(folder, fit, scores, peers=not asked.no_peers)
    if not reports:
        sys.exit("Nothing was measured: no set of --data is in --fit.")
    report = next(iter(reports.values())) if alone else reports
    print(json.dumps(report, indent=None if asked.output == "json" else 1))


def measure(
    folder: Path, fit_folder: Path | None, scores: Path | None, *, peers: bool
) -> dict[str, object]:
    """All figures of one data set; thresholds from `fit_folder`, scores written to `scores`."""
    layout, series = read_set(folder)
    fit_series = read_set(fit_folder)[1] if fit_folder else series
    test = run(series, ours)
    if scores:
        write_scores(scores, layout, series, test)
    fit = run(fit_series, ours) if fit_folder else test
    report: dict[str, object] = {
        "set": layout,
        "series": len(series),
        "threshold_from": str(fit_folder or "the same data: not a held-out figure"),
        "opsmith": judge(layout, test, fit, series),
        "shipped": shipped(series),
        "synthetic_faults": synthetic(series),
    }
    for name, peer in installed() if peers else ():
        there = run(series, peer)
        known = run(fit_series, peer) if fit_folder else there
        report[name] = judge(layout, there, known, series)
    if layout == "nab":
        report["published_nab_standard"] = PUBLISHED_NAB
    return report


if __name__ == "__main__":
    main()
