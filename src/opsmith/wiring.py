"""The wiring: joins settings, backends and flows; the only file that knows every backend.

Each face calls a function here; what it needs is imported inside, so that `--help` stays quick.
"""

from __future__ import annotations

from pathlib import Path

from opsmith.errors import NotFound
from opsmith.nouns.recording import BundleCheck
from opsmith.seams.metrics import Metrics

BUNDLE_SCHEMAS = ("incident", "topology", "changes")


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
