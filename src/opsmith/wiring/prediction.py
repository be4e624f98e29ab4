"""The wiring of prediction: where series come from, forecasts, pictures, fleets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.forecast import FleetForecast, Known, Outlook, Score
from opsmith.nouns.series import Series
from opsmith.nouns.source import Source
from opsmith.seams.spread import Spread
from opsmith.settings import load


def series_from(
    source: Source, *, tell: Callable[[str], None] = lambda _: None
) -> tuple[Series, ...]:
    """The series a source names; a server is asked up to now. `tell` hears what a file lacks.

    Raises `NotFound` when nothing matches, `BadInput` when no server is known.
    """
    if source.file is not None:
        return _from_file(Path(source.file), source.query, tell)
    return asyncio.run(_from_server(source))


def forecasts(
    series: tuple[Series, ...],
    *,
    horizon: timedelta,
    threshold: float | None,
    model: str,
    known: Known,
) -> tuple[Outlook, ...]:
    """A forecast of every series, and when each crosses the threshold."""
    from opsmith.flows.predict import Question, look_ahead

    question = Question(horizon=horizon, threshold=threshold, model=model, known=known)
    return asyncio.run(look_ahead(series, question))


def known_from(
    *, floor: float | None, cap: float | None, events: Path | None, regressors: tuple[Path, ...]
) -> Known:
    """What a person knows beside the past, from options and small files.

    Raises `BadInput` when a file is not what it should be.
    """
    from opsmith.ingest.known_events import read_events
    from opsmith.ingest.tables import read_series

    return Known(
        floor=floor,
        cap=cap,
        events=() if events is None else read_events(events),
        regressors=tuple(one for path in regressors for one in read_series(path)),
    )


def fleet(
    series: tuple[Series, ...],
    *,
    horizon: timedelta,
    dask: str | None,
    progress: Callable[[int], None],
) -> tuple[tuple[str, ...], FleetForecast]:
    """Forecasts of many series in batches, on two threads or a Dask cluster; with their keys."""
    from opsmith.flows.fleet import aligned, forecast_fleet

    y, step_s, _ = aligned(series)
    steps = max(1, -int(-horizon.total_seconds() // step_s))
    with closing(spread_over(dask)) as spread:
        found = forecast_fleet(y, step_s=step_s, steps=steps, spread=spread, progress=progress)
    return tuple(one.key for one in series), found


def spread_over(dask: str | None) -> Spread:
    """Where pieces of work are done: here, or on the workers of a Dask scheduler.

    Raises `MissingExtra` without the extra `dask`, `Unreachable` when nothing answers.
    """
    if dask is not None:
        from opsmith.backends.spread.dask import DaskSpread

        return DaskSpread(dask)
    from opsmith.backends.spread.threads import ThreadSpread

    return ThreadSpread(2)


def chart(outlook: Outlook, columns: int) -> str:
    """A forecast drawn in characters, `columns` wide."""
    from opsmith.forecast import drawing

    return drawing.text(outlook, columns=columns)


def picture(outlook: Outlook, form: str) -> str | bytes:
    """A forecast as `svg` text or `png` bytes."""
    from opsmith.forecast import drawing, picture

    return drawing.svg(outlook) if form == "svg" else picture.png(outlook)


def evaluate_forecasts(folder: Path, *, horizon: timedelta) -> tuple[Score, ...]:
    """How forecasts would have done on every series in the files under a folder.

    Files that hold no series are passed over. Raises `BadInput` when none is long enough, or
    there is no such folder.
    """
    from opsmith.flows.predict import evaluate

    return asyncio.run(evaluate(series_under(folder), horizon=horizon))


def series_under(folder: Path) -> tuple[Series, ...]:
    """The series of every readable file under a folder (or of one file), in order of paths.

    Raises `BadInput` when there is no such folder, or no series in it.
    """
    from opsmith.ingest.tables import read_series

    if not folder.exists():
        raise BadInput(f"{folder}: no such folder.", hint="Give a folder (or file) of history.")
    found: list[Series] = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            try:
                found.extend(read_series(path))
            except BadInput:
                if path == folder:
                    raise
    if not found:
        raise BadInput(
            f"{folder}: no file in it holds series.",
            hint="Give CSV (time, value), Parquet or OpenMetrics files.",
        )
    return tuple(found)


async def _from_server(source: Source) -> tuple[Series, ...]:
    from opsmith.flows.predict import fetch
    from opsmith.wiring.sources import open_metrics

    opened = open_metrics(load(), url=source.url)
    if opened is None:
        raise BadInput(
            "No server to ask is known.",
            hint="Give --prometheus URL or --file FILE, or set OPSMITH_PROMETHEUS_URL.",
        )
    async with aclosing(opened) as metrics:
        now = datetime.now(UTC)
        return await fetch(metrics, source.query or "", now=now, history=source.history)


def _from_file(path: Path, query: str | None, tell: Callable[[str], None]) -> tuple[Series, ...]:
    from opsmith.backends.metrics import selector
    from opsmith.ingest.tables import read_table

    table = read_table(path)
    found = table.series
    for missing in table.missing:
        tell(missing.what)
    if query is None:
        return found
    labels = [{**dict(one.labels), "__name__": one.name} for one in found]
    kept = tuple(found[number] for number in selector.chosen(selector.parse(query), labels))
    if not kept:
        raise NotFound(f"No series in {path.name} matches {query}.")
    return kept
