"""Accuracy of root-cause ranking: `bench/rca.py --data DIR [--fit DIR] [-o text|json]`.

DIR is one system's incidents or a folder that holds several; the layout is read off the files.
Without `--fit` the shipped weights serve; with it base rates, cases, channel weights and a forest
are learned from that labelled folder, never from the one that is scored.  Only the scorer opens
the truth file, after every ranking is made; without one the predictions are written all the same.

AC@k, Avg@5 and MRR as in RCAEval (Pham et al. 2024): AC@k = |top k & true| / min(k, |true|).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from baselines import BASELINES, Baseline
from incident_sets import IncidentSet, find_sets, solved, truth_of

from opsmith.errors import BadInput, MissingExtra, OpsmithError
from opsmith.localise.confidence import expected_calibration_error
from opsmith.localise.diagnose import localise
from opsmith.localise.fitted import Fitted
from opsmith.localise.fitting import refit
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.recording import Recording
from opsmith.wiring.weights import shipped_weights

OURS = "opsmith"
SEED = 2026
ECE_BINS = 10
MIB = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One ranking. chance: promised to the first; diagnosed: whether it may be acted on."""

    incident: str
    ranking: tuple[str, ...]
    seconds: float
    chance: float = 0.0
    diagnosed: bool = True


@dataclass(slots=True, kw_only=True)
class Result:
    """What was predicted for one set, by method, and how well."""

    system: str
    incidents: int = 0
    seconds_reading: float = 0.0
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def run(one: IncidentSet, fitted: Fitted, methods: Mapping[str, Baseline]) -> Result:
    """Rank every incident of a set by every method; no label is read."""
    result = Result(system=one.name, predictions={name: [] for name in (OURS, *methods)})
    for name, read in one.read():
        started = time.perf_counter()
        recording = read()
        result.seconds_reading += time.perf_counter() - started
        result.incidents += 1
        result.predictions[OURS].append(diagnose(one, name, recording, fitted))
        for label, method in methods.items():
            result.predictions[label].append(compare(one, name, recording, method))
    return result


def diagnose(one: IncidentSet, name: str, recording: Recording, fitted: Fitted) -> Prediction:
    """Our ranking of one incident, timed from the recording in memory."""
    started = time.perf_counter()
    found = localise(recording, ranker=fitted.ranker, base_rates=fitted.base_rates)
    seconds = time.perf_counter() - started
    names = (one.reader.names(recording, cause.entity) for cause in found.causes)
    return Prediction(
        incident=name,
        ranking=tuple(dict.fromkeys(names)),
        seconds=seconds,
        chance=found.causes[0].confidence if found.causes else 0.0,
        diagnosed=found.status is Status.DIAGNOSED,
    )


def compare(one: IncidentSet, name: str, recording: Recording, method: Baseline) -> Prediction:
    """A baseline's ranking of the same recording."""
    started = time.perf_counter()
    order = method(recording)
    seconds = time.perf_counter() - started
    names = (one.reader.names(recording, entity) for entity in order)
    return Prediction(incident=name, ranking=tuple(dict.fromkeys(names)), seconds=seconds)


def score(result: Result, truth: Mapping[str, frozenset[str]]) -> None:
    """Fill in the figures; no prediction is a miss, a method that never speaks is left out."""
    for method, predictions in result.predictions.items():
        if not any(one.ranking for one in predictions):
            continue  # it needs what these recordings do not have
        known = {one.incident: one for one in predictions}
        rows = [hits(known[name].ranking if name in known else (), truth[name]) for name in truth]
        mean = np.mean(rows, axis=0)
        result.figures[method] = {
            "AC@1": float(mean[0]),
            "AC@3": float(mean[2]),
            "AC@5": float(mean[4]),
            "Avg@5": float(mean[:5].mean()),
            "MRR": float(mean[5]),
            "seconds": float(np.mean([one.seconds for one in predictions])),
        }
    ours = [one for one in result.predictions[OURS] if one.incident in truth]
    chances = np.array([one.chance for one in ours])
    right = np.array([bool(set(o.ranking[:1]) & truth[o.incident]) for o in ours])
    firm = np.array([one.diagnosed for one in ours])
    result.figures[OURS] |= {
        "ECE": expected_calibration_error(chances, right, bins=ECE_BINS),
        "diagnosed": float(firm.mean()),
        "AC@1 when diagnosed": float(right[firm].mean()) if firm.any() else float("nan"),
    }


def hits(ranking: Sequence[str], true: frozenset[str]) -> list[float]:
    """AC@1 to AC@5 and the reciprocal rank of one ranking."""
    found = [len(set(ranking[:k]) & true) / min(k, len(true)) for k in range(1, 6)]
    first = next((place for place, name in enumerate(ranking, 1) if name in true), None)
    return [*found, 1 / first if first else 0.0]


def as_text(results: Iterable[Result], *, calibration: bool) -> str:
    """The figures as a table a set."""
    lines = []
    for result in results:
        lines.append(f"\n{result.system}: {result.incidents} incidents")
        if not result.figures:
            lines.append("  no truth file: nothing to score, predictions only")
        for method, row in result.figures.items():
            names = ("AC@1", "AC@3", "AC@5", "Avg@5", "MRR")
            cells = "  ".join(f"{name} {row[name]:.3f}" for name in names)
            lines.append(f"  {method:20} {cells}  {row['seconds']:.4f} s/incident")
        if calibration and result.figures:
            row = result.figures[OURS]
            lines.append(
                f"  ECE {row['ECE']:.3f} ({ECE_BINS} equal-mass bins); diagnosed"
                f" {row['diagnosed']:.2f}, AC@1 of those {row['AC@1 when diagnosed']:.3f}"
            )
    lines.append(f"\npeak memory {peak_mib():.0f} MiB")
    return "\n".join(lines)


def as_json(results: Iterable[Result], fitted: Fitted) -> str:
    """The figures as one JSON object."""
    sets = [
        {
            "system": result.system,
            "incidents": result.incidents,
            "seconds_reading": result.seconds_reading / max(result.incidents, 1),
            "methods": result.figures,
        }
        for result in results
    ]
    whole = {"weights": fitted.ranker.origin, "sets": sets, "peak_mib": peak_mib()}
    return json.dumps(whole, indent=2)


def peak_mib() -> float:
    """The largest resident size of this process so far (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def write(path: Path, results: Iterable[Result]) -> None:
    """Our predictions of all sets, one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for result in results:
            for one in result.predictions[OURS]:
                row = {
                    "incident": one.incident,
                    "ranking": list(one.ranking),
                    "seconds": round(one.seconds, 6),
                    "confidence": round(one.chance, 6),
                }
                print(json.dumps(row), file=file)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="What to score.")
@click.option("--fit", type=click.Path(path_type=Path), help="Labelled incidents to learn from.")
@click.option("--predictions", type=click.Path(path_type=Path), help="Write JSON lines there.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option("--calibration", is_flag=True, help="Print the expected calibration error too.")
@click.option(
    "--published", is_flag=True, help="Run BARO too (pip install -r bench/requirements.txt)."
)
@click.option("--shipped/--no-shipped", default=True, help="Without: as if nothing was shipped.")
@click.option("--baselines/--no-baselines", default=True, show_default=True)
def main(
    data: Path, fit: Path | None, predictions: Path | None, output: str, **flags: bool
) -> None:
    """Rank the incidents in --data, and score them where there is a truth file."""
    try:
        fitted = weights(fit, shipped_too=flags["shipped"])
        methods = methods_of(**flags)
        sets = find_sets(data)
        results = [run(one, fitted, methods) for one in sets]
        for one, result in zip(sets, results, strict=True):
            if (truth := truth_of(one.folder)) is not None:
                score(result, truth)
        if predictions:
            write(predictions, results)
    except OpsmithError as error:
        print(f"rca: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    text = as_text(results, calibration=flags["calibration"])
    print(as_json(results, fitted) if output == "json" else text)


def methods_of(*, baselines: bool, published: bool, **_: bool) -> dict[str, Baseline]:
    """The rankings to compare with. Raises `MissingExtra` when BARO is not installed."""
    methods = dict(BASELINES) if baselines else {}
    if published:
        try:
            from published import baro
        except ImportError as error:
            raise MissingExtra(
                "The published methods are not installed.",
                hint="pip install -r bench/requirements.txt",
            ) from error
        methods["BARO"] = baro
    return methods


def weights(fit: Path | None, *, shipped_too: bool) -> Fitted:
    """The shipped weights, or those learned from a labelled folder on top of them."""
    shipped = shipped_weights() if shipped_too else Fitted()
    if fit is None:
        return shipped
    history = solved(fit)
    if not history:
        raise BadInput(f"{fit}: no incident to learn from.")
    return refit(history, shipped.ranker, seed=SEED)


if __name__ == "__main__":
    main()
