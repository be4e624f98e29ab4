"""The wiring: joins settings, backends and flows; the only file that knows every backend.

Each face calls a function here; what it needs is imported inside, so that `--help` stays quick.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from opsmith.errors import BadInput, NotFound
from opsmith.nouns.checkup import Checkup
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.forecast import Outlook, Score
from opsmith.nouns.recording import BundleCheck
from opsmith.nouns.report import Report
from opsmith.nouns.series import Series
from opsmith.nouns.source import Source
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings, load

BUNDLE_SCHEMAS = ("incident", "topology", "changes")


def investigate(folder: Path, *, top: int, path_weights: PathWeights) -> Report:
    """The report on a recorded incident. Raises `BadInput` when there is no usable bundle."""
    from opsmith.flows.investigate import investigate as investigate_bundle
    from opsmith.wiring.weights import weights

    fitted = weights(load())
    return investigate_bundle(folder, fitted=fitted, top=top, path_weights=path_weights).report


def check_bundle(folder: Path) -> BundleCheck:
    """What an incident bundle holds. Raises `BadInput` when there is none."""
    from opsmith.ingest import bundle

    return bundle.check(folder)


def bundle_schema(name: str) -> str:
    """The JSON Schema of one of the bundle's own files, as text."""
    from importlib.resources import files

    if name not in BUNDLE_SCHEMAS:
        raise NotFound(f"no schema {name!r}: there are {', '.join(BUNDLE_SCHEMAS)}.")
    return (files("opsmith.ingest") / "schemas" / f"{name}.json").read_text(encoding="utf-8")


def metrics_of(source: str) -> Metrics:
    """The metrics behind a URL of a Prometheus-compatible server, or in a recorded file.

    Raises `BadInput` when the file holds no series.
    """
    from opsmith.ingest.label_rules import describe

    if source.startswith(("http://", "https://")):
        from opsmith.backends.metrics.prometheus import PrometheusMetrics

        return PrometheusMetrics(source, describe=describe)
    from opsmith.backends.metrics.recorded import RecordedMetrics
    from opsmith.ingest.tables import read_series

    return RecordedMetrics(read_series(Path(source)))


def series_from(source: Source) -> tuple[Series, ...]:
    """The series a source names; a server is asked up to now.

    Raises `NotFound` when nothing matches, `BadInput` when no server is known.
    """
    from opsmith.flows.predict import fetch

    if source.file is not None:
        return _from_file(Path(source.file), source.query)
    url = source.url or load().prometheus_url
    if url is None:
        raise BadInput(
            "No server to ask is known.",
            hint="Give --prometheus URL or --file FILE, or set OPSMITH_PROMETHEUS_URL.",
        )
    now, metrics = datetime.now(UTC), metrics_of(url)
    return asyncio.run(fetch(metrics, source.query or "", now=now, history=source.history))


def forecasts(
    source: Source, *, horizon: timedelta, threshold: float | None, model: str
) -> tuple[Outlook, ...]:
    """A forecast of every series that a source names, and when each crosses the threshold."""
    from opsmith.flows.predict import Question, look_ahead

    question = Question(horizon=horizon, threshold=threshold, model=model)
    return asyncio.run(look_ahead(series_from(source), question))


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

    Files that hold no series are passed over. Raises `BadInput` when none is long enough.
    """
    from opsmith.flows.predict import evaluate

    return asyncio.run(evaluate(series_under(folder), horizon=horizon))


def series_under(folder: Path) -> tuple[Series, ...]:
    """The series of every readable file under a folder (or of one file), in order of paths."""
    from opsmith.ingest.tables import read_series

    found: list[Series] = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            try:
                found.extend(read_series(path))
            except BadInput:
                if path == folder:
                    raise
    return tuple(found)


def check_up(settings: Settings) -> Checkup:
    """What is installed, reachable and missing; configured servers are asked for one number."""
    from opsmith.flows.checkup import check_up as check_machine

    url = settings.prometheus_url
    return asyncio.run(
        check_machine(
            settings={row.name: str(getattr(settings, row.name)) for row in fields(settings)},
            data_dir=settings.data_dir,
            probes={"prometheus": partial(_ask_prometheus, url)} if url else {},
            root=Path("/"),
        )
    )


async def _ask_prometheus(url: str) -> None:
    """Ask for one number. Raises `Unreachable` or `BadAnswer`, `BadInput` for no address."""
    from opsmith.backends.metrics.prometheus import PrometheusMetrics
    from opsmith.ingest.label_rules import describe

    async with aclosing(PrometheusMetrics(url, describe=describe)) as metrics:
        await metrics.query("vector(1)", at=datetime.now(UTC))


def _from_file(path: Path, query: str | None) -> tuple[Series, ...]:
    from opsmith.backends.metrics import selector
    from opsmith.ingest.tables import read_series

    found = read_series(path)
    if query is None:
        return found
    labels = [{**dict(one.labels), "__name__": one.name} for one in found]
    kept = tuple(found[number] for number in selector.chosen(selector.parse(query), labels))
    if not kept:
        raise NotFound(f"No series in {path.name} matches {query}.")
    return kept
