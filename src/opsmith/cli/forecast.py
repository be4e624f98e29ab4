"""`opsmith forecast`: what series will do, how sure that is, and when they cross a threshold."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from opsmith.cli.options import output_option
from opsmith.cli.saving import save
from opsmith.cli.source import Duration, source_options
from opsmith.errors import BadInput
from opsmith.nouns.forecast import LEVELS, Breach, Forecast, Outlook
from opsmith.nouns.source import Source
from opsmith.wiring import prediction

PICTURES = (".svg", ".png")
WIDEST = 120


@click.command()
@source_options
@click.option("--horizon", type=Duration(), default="6h", show_default=True, help="How far ahead.")
@click.option("--threshold", type=float, help="Also say when this value is crossed.")
@click.option(
    "--model",
    default="blend",
    show_default=True,
    help="blend, choice (the winner of the back-test alone), or a candidate by name.",
)
@click.option("--floor", type=float, help="Values never fall below this.")
@click.option("--cap", type=float, help="Values never pass this: growth flattens towards it.")
@click.option(
    "--events",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Known events, past and to come: a CSV file of name,start,end.",
)
@click.option(
    "--regressor",
    "regressors",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A series it follows, known to the end of the horizon: CSV, Parquet or OpenMetrics.",
)
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also draw it there, as its suffix says: .svg or .png; one series only.",
)
@click.option(
    "--fleet",
    is_flag=True,
    help="For thousands of series: plain and decomposable models in batches, one line each.",
)
@click.option("--dask", metavar="URL", help="With --fleet: spread it over this Dask scheduler.")
@output_option
def forecast(source: Source, horizon: timedelta, output: str, **chosen: object) -> None:
    """Forecast the series that SELECTOR or PROMQL names, or those in a file.

    Without --file or --prometheus the server of OPSMITH_PROMETHEUS_URL is asked. Every candidate
    model forecasts the past it has not seen; the answer blends them by those errors and says
    which won.
    """
    wanted = _Wanted(**chosen)  # type: ignore[arg-type]  # click has checked each by its type
    if wanted.plot is not None and wanted.plot.suffix not in PICTURES:
        raise BadInput(
            f"A picture cannot be written as {wanted.plot.name[-60:]!r}.",
            hint="End its name in .svg or .png.",
        )
    if wanted.fleet:
        _no_more_than_plain(wanted)
        _fleet(source, horizon, wanted.dask, output)
        return
    known = prediction.known_from(
        floor=wanted.floor, cap=wanted.cap, events=wanted.events, regressors=wanted.regressors
    )
    found = prediction.forecasts(
        prediction.series_from(source, tell=_tell),
        horizon=horizon,
        threshold=wanted.threshold,
        model=wanted.model,
        known=known,
    )
    if wanted.plot is not None:
        _draw(found, wanted.plot)
    if output == "json":
        click.echo(json.dumps([_as_json(one) for one in found]))
        return
    columns = min(WIDEST, shutil.get_terminal_size().columns)
    click.echo("\n\n".join(_as_text(one, columns) for one in found))


def _tell(amiss: str) -> None:
    click.echo(f"opsmith: {amiss}", err=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    threshold: float | None
    model: str
    floor: float | None
    cap: float | None
    events: Path | None
    regressors: tuple[Path, ...]
    plot: Path | None
    fleet: bool
    dask: str | None


def _no_more_than_plain(wanted: _Wanted) -> None:
    """Raise BadInput for options that mean nothing to a fleet."""
    named = {
        "--threshold": wanted.threshold,
        "--floor": wanted.floor,
        "--cap": wanted.cap,
        "--events": wanted.events,
        "--regressor": wanted.regressors or None,
        "--plot": wanted.plot,
    }
    said = [name for name, value in named.items() if value is not None]
    if said:
        raise BadInput(
            f"A fleet is forecast without {' and '.join(said)}.",
            hint="Leave it out, or forecast these series without --fleet.",
        )


def _fleet(source: Source, horizon: timedelta, dask: str | None, output: str) -> None:
    """Forecast by the thousand, with a bar on standard error."""
    series = prediction.series_from(source, tell=_tell)
    with click.progressbar(length=len(series), label="forecasting", file=sys.stderr) as bar:
        keys, found = prediction.fleet(series, horizon=horizon, dask=dask, progress=bar.update)
    low, middle, high = (found.quantiles[:, at] for at in range(3))
    if output == "json":
        rows = [
            {
                "series": key,
                "chosen": found.names[found.chosen[at]],
                "p10": _finite(low[at]),
                "p50": _finite(middle[at]),
                "p90": _finite(high[at]),
            }
            for at, key in enumerate(keys)
        ]
        click.echo(json.dumps(rows))
        return
    click.echo(f"{'median':>11} {'P10':>10} {'P90':>10}  at the end of the horizon; model; series")
    for at, key in enumerate(keys):
        ends = f"{middle[at, -1]:>11.5g} {low[at, -1]:>10.4g} {high[at, -1]:>10.4g}"
        click.echo(f"{ends}  {found.names[found.chosen[at]]}; {key}")


def _finite(row: NDArray[np.float32]) -> list[float] | None:
    return row.tolist() if np.isfinite(row).all() else None


def _draw(found: tuple[Outlook, ...], path: Path) -> None:
    if len(found) != 1:
        raise BadInput(
            f"{len(found)} series match, and a picture shows one.", hint="Narrow the selector."
        )
    drawing = prediction.picture(found[0], path.suffix.removeprefix("."))
    save(path, drawing)


def _as_text(outlook: Outlook, columns: int) -> str:
    made = outlook.forecast
    at = [max(0, round(made.times_s.size * share) - 1) for share in (0.25, 0.5, 1.0)]
    rows = ["time (UTC)        median        P10        P90"]
    for step in dict.fromkeys(at):
        time = datetime.fromtimestamp(made.times_s[step], tz=UTC).strftime("%Y-%m-%d %H:%M")
        middle, low, high = (made.level(level)[step] for level in (0.5, 0.1, 0.9))
        rows.append(f"{time} {middle:>11.5g} {low:>10.4g} {high:>10.4g}")
    notes = [f"Note: {note}." for note in made.notes]
    return "\n".join([prediction.chart(outlook, columns), "", *outlook.said, *notes, "", *rows])


def _as_json(outlook: Outlook) -> dict[str, object]:
    made = outlook.forecast
    return {
        "series": made.key,
        "unit": f"{made.unit} per second" if made.nature == "counter" else made.unit,
        "nature": made.nature,
        "model": made.model,
        "chosen": made.chosen,
        "step_s": made.step_s,
        "times_s": made.times_s.tolist(),
        "levels": list(LEVELS),
        "quantiles": made.quantiles.tolist(),
        "parts": {part.name: part.values.tolist() for part in made.parts},
        "backtest": _trials(made),
        "breach": _breach(outlook.breach) if outlook.breach else None,
        "said": list(outlook.said),
        "notes": list(made.notes),
    }


def _trials(made: Forecast) -> list[dict[str, object]]:
    return [
        {
            "model": trial.name,
            "error": trial.error if trial.error == trial.error else None,
            "relative": trial.relative if trial.relative == trial.relative else None,
            "weight": trial.weight,
            "folds": trial.folds,
        }
        for trial in made.trials
    ]


def _breach(breach: Breach) -> dict[str, object]:
    return {
        "threshold": breach.threshold,
        "side": breach.side,
        "already": breach.already,
        "probability": breach.probability,
        "p10_s": breach.earliest_s,
        "p50_s": breach.median_s,
        "p90_s": breach.latest_s,
        "linear_s": breach.linear_s,
        "horizon_s": breach.horizon_s,
    }
