"""Accuracy, coverage and cost of forecasts, beside other tools, on folders of time series.

python bench/forecast.py --data DIR [--fit DIR] [--forecasts OUT.csv] [--peers none] [-o json]

M4 folders (train.csv, test.csv): the 48 steps after each row. Every other CSV (time, value): as
five-minute means, at most 8,064 training points, 288 steps from 864 and from 288 before the end.
MASE is in units of the in-sample error of the daily seasonal naive forecast; sPL is twice the
mean pinball loss over eleven quantiles in the same units. Nothing is learned from --fit.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from forecast_data import OPS_HORIZON, Task, tasks
from forecast_peers import installed
from numpy.typing import NDArray

from opsmith.forecast import decomposable, gaussian
from opsmith.forecast.grid import regular
from opsmith.forecast.nature import bounds_of
from opsmith.forecast.predict import judge
from opsmith.nouns.forecast import LEVELS, MEDIAN
from opsmith.nouns.series import MetricKind, Unit

COLUMNS = ("q025", "q10", "q20", "q30", "q40", "q50", "q60", "q70", "q80", "q90", "q975")


@dataclass
class Tally:
    """What one model scored on the tasks of one group."""

    mase: list[float] = field(default_factory=list)
    spl: list[float] = field(default_factory=list)
    c80: list[float] = field(default_factory=list)
    c95: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    tasks: int = 0


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", type=Path, help="accepted for symmetry; nothing is learned")
    parser.add_argument("--forecasts", type=Path, help="write every quantile to this CSV")
    parser.add_argument("--peers", default="all", help="all, none, or names with commas between")
    parser.add_argument("--most", type=int, help="only so many tasks of each group")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    chosen = parser.parse_args()
    peers, lacking = installed()
    wanted = {name.strip() for name in chosen.peers.split(",")}
    peers = {n: p for n, p in peers.items() if "all" in wanted or n in wanted}
    for line in lacking if chosen.peers != "none" else []:
        print(line, file=sys.stderr)
    found = _limited(list(tasks(chosen.data)), chosen.most)
    if not found:
        sys.exit(f"{chosen.data}: no time series in a layout that is known here")
    table, regret = run(found, peers, chosen.forecasts)
    speed = speeds()
    if chosen.output == "json":
        print(json.dumps({"accuracy": table, "regret": regret, "speed": speed}, indent=2))
    else:
        print_text(table, regret, speed)


def run(
    found: list[Task], peers: dict[str, Callable[[Task], NDArray[np.float64]]], out: Path | None
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Score every model on every task; rows of the tables."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    choices: dict[str, list[tuple[float, dict[str, float]]]] = defaultdict(list)
    sink = out.open("w", newline="", encoding="utf-8") if out else None
    writer = csv.writer(sink) if sink else None
    if writer:
        writer.writerow(("series", "origin", "step", "model", *COLUMNS))
    judge(regular(np.arange(100.0) % 7, step_s=3600.0), 3, bounds_for(np.arange(3.0)))  # compile
    for at, task in enumerate(found):
        print(f"\r{at + 1}/{len(found)}", end="", file=sys.stderr, flush=True)
        ours = Tally()
        with timed(ours):
            answers = ours_for(task)
        group = "m4" if task.group == "m4-hourly" else "5-minute"
        errors = {n: score(tallies[group, n], task, q) for n, q in answers.items()}
        tallies[group, "blend"].cpu_s += ours.cpu_s
        tallies[group, "blend"].wall_s += ours.wall_s
        if np.isfinite(errors["choice"]):
            rest = {n: e for n, e in errors.items() if n not in ("blend", "choice")}
            choices[group].append((errors["choice"], rest))
        for name, quantiles in answers.items():
            _write(writer, task, name, quantiles)
        for name, peer in peers.items():
            with timed(tallies[group, name]):
                quantiles = peer(task)
            score(tallies[group, name], task, quantiles)
            _write(writer, task, name, quantiles)
    print(file=sys.stderr)
    if sink:
        sink.close()
    rows = [row(group, model, tally) for (group, model), tally in sorted(tallies.items())]
    return rows, [regret_of(group, pairs) for group, pairs in choices.items()]


def ours_for(task: Task) -> dict[str, NDArray[np.float64]]:
    """Quantiles (11, h) of the blend, the choice and each candidate."""
    grid = regular(task.train, step_s=task.step_s, start_s=task.start_s)
    bounds = bounds_for(task.train)
    judged = judge(grid, task.test.size, bounds)
    out = {"blend": judged.quantiles, "choice": judged.around(judged.picked)}
    out |= {name: judged.around(at) for at, name in enumerate(judged.names)}
    return {name: bounds.keep(quantiles) for name, quantiles in out.items()}


def bounds_for(values: NDArray[np.float64]):  # noqa: ANN201 - as bounds_of
    """What the values can be, without a unit to go by."""
    return bounds_of(values, Unit.UNKNOWN, MetricKind.GAUGE)


@contextmanager
def timed(tally: Tally):  # noqa: ANN201 - a context
    """Add CPU (with children) and wall seconds."""
    cpu, wall = _cpu(), time.perf_counter()
    yield
    tally.cpu_s += _cpu() - cpu
    tally.wall_s += time.perf_counter() - wall


def score(tally: Tally, task: Task, quantiles: NDArray[np.float64]) -> float:
    """Add one task's figures; gives its MASE, NaN when it has none."""
    tally.tasks += 1
    known = np.isfinite(task.test)
    if not known.any() or not np.isfinite(task.scale):
        return float("nan")
    actual, said = task.test[known], quantiles[:, known]
    level = np.array(LEVELS)[:, None]
    off = actual - said
    tally.mase.append(float(np.abs(off[MEDIAN]).mean() / task.scale))
    tally.spl.append(float(2 * np.where(off >= 0, level * off, (level - 1) * off).mean()))
    tally.spl[-1] /= task.scale
    slack = 1e-9 * (1 + np.abs(actual).max())  # a constant that stays is covered
    for store, low, high in ((tally.c80, 1, -2), (tally.c95, 0, -1)):
        inside = (actual >= said[low] - slack) & (actual <= said[high] + slack)
        store.append(float(inside.mean()))
    return tally.mase[-1]


def row(group: str, model: str, tally: Tally) -> dict[str, object]:
    """One line of the accuracy table."""
    mean = {
        k: float(np.mean(getattr(tally, k) or [np.nan])) for k in ("mase", "spl", "c80", "c95")
    }
    return {
        "set": group,
        "model": model,
        "tasks": tally.tasks,
        "mase": mean["mase"],
        "median_mase": float(np.median(tally.mase or [np.nan])),
        "spl": mean["spl"],
        "c80": mean["c80"],
        "c95": mean["c95"],
        "cpu_s_per_task": tally.cpu_s / max(tally.tasks, 1),
        "wall_s_per_task": tally.wall_s / max(tally.tasks, 1),
    }


def regret_of(group: str, pairs: list[tuple[float, dict[str, float]]]) -> dict[str, object]:
    """How far the choice is behind the best candidate: of the set, and of each series."""
    chosen = float(np.mean([choice for choice, _ in pairs]))
    names = set.intersection(*(set(rest) for _, rest in pairs))
    fixed = {name: float(np.mean([rest[name] for _, rest in pairs])) for name in names}
    best = min(fixed, key=fixed.__getitem__)
    oracle = float(np.mean([min(rest.values()) for _, rest in pairs]))
    return {
        "set": group,
        "choice_mase": chosen,
        "best_single": best,
        "best_single_mase": fixed[best],
        "regret_single": chosen / fixed[best] - 1,
        "oracle_mase": oracle,
        "regret_oracle": chosen / oracle - 1,
    }


def speeds() -> dict[str, float]:
    """CPU cost of each family at 10,000 points, the least of five runs."""
    rng = np.random.default_rng(0)
    t = np.arange(10_000)
    y = 50 + 10 * np.sin(2 * np.pi * t / 288) + 3 * np.sin(2 * np.pi * t / 2016)
    grid = regular(y + rng.normal(size=t.size), step_s=300.0)
    model, process = decomposable.fit(grid), gaussian.fit(grid)
    predict = least(lambda: decomposable.predict(model, OPS_HORIZON), 20)
    sample = least(lambda: gaussian.predict(process, OPS_HORIZON), 20)
    return {
        "decomposable_fit_ms": 1e3 * least(lambda: decomposable.fit(grid), 1),
        "gp_fit_ms": 1e3 * least(lambda: gaussian.fit(grid), 1),
        "gp_warm_fit_ms": 1e3 * least(lambda: gaussian.fit(grid, start=process.kernel), 1),
        "decomposable_points_per_s": OPS_HORIZON / predict,
        "gp_points_per_s": OPS_HORIZON / sample,
        "decomposable_update_us": 1e6 * least(lambda: decomposable.update(model, 50.0), 20),
    }


def least(call: Callable[[], object], times: int) -> float:
    """CPU seconds of one call: the least of five rounds of `times` calls."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times)
    return min(rounds)


def print_text(
    table: list[dict[str, object]], regret: list[dict[str, object]], speed: dict[str, float]
) -> None:
    """The tables for a terminal."""
    head = "{:10} {:20} {:>5} {:>7} {:>7} {:>7} {:>5} {:>5} {:>8}"
    print(head.format("set", "model", "tasks", "MASE", "median", "sPL", "c80", "c95", "CPU s"))
    for one in sorted(table, key=lambda r: (str(r["set"]), float(str(r["mase"])))):
        cpu = f"{one['cpu_s_per_task']:.3f}" if one["cpu_s_per_task"] else ""
        print(
            f"{one['set']:10} {one['model']:20} {one['tasks']:5} {one['mase']:7.3f} "
            f"{one['median_mase']:7.3f} {one['spl']:7.3f} {one['c80']:5.2f} {one['c95']:5.2f} "
            f"{cpu:>8}"
        )
    for one in regret:
        print(
            f"{one['set']}: choice {one['choice_mase']:.3f}, best single candidate "
            f"{one['best_single']} {one['best_single_mase']:.3f} "
            f"(regret {one['regret_single']:+.1%}), best of each series in hindsight "
            f"{one['oracle_mase']:.3f} (regret {one['regret_oracle']:+.1%})"
        )
    for name, value in speed.items():
        print(f"{name:30} {value:,.1f}")


def _write(writer: object, task: Task, model: str, quantiles: NDArray[np.float64]) -> None:
    if writer is None:
        return
    for step, column in enumerate(quantiles.T, start=1):
        cells = (f"{value:.8g}" for value in column)
        writer.writerow((task.series, task.origin, step, model, *cells))  # type: ignore[attr-defined]


def _limited(found: list[Task], most: int | None) -> list[Task]:
    if most is None:
        return found
    seen: dict[str, int] = defaultdict(int)
    kept = []
    for task in found:
        seen[task.group] += 1
        if seen[task.group] <= most:
            kept.append(task)
    return kept


def _cpu() -> float:
    import resource

    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
