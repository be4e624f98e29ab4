"""The wiring: joins settings, backends and flows; the only file that knows every backend.

Each face calls a function here; what it needs is imported inside, so that `--help` stays quick.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from opsmith.errors import NotFound
from opsmith.nouns.checkup import Checkup
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.recording import BundleCheck
from opsmith.nouns.report import Report
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
    if source.startswith(("http://", "https://")):
        from opsmith.wiring.sources import open_metrics

        opened = open_metrics(load(), url=source)
        if opened is not None:
            return opened
    from opsmith.backends.metrics.recorded import RecordedMetrics
    from opsmith.ingest.tables import read_series

    return RecordedMetrics(read_series(Path(source)))


def check_up(settings: Settings) -> Checkup:
    """What is installed, reachable and missing; configured servers are asked for one number."""
    import asyncio

    from opsmith.flows.checkup import check_up as check_machine
    from opsmith.wiring.confinement import sandbox_finding
    from opsmith.wiring.ledger import ledger_probes
    from opsmith.wiring.models import probes as model_probes
    from opsmith.wiring.queue import queue_probes
    from opsmith.wiring.sources import probes

    async def look() -> Checkup:
        found = await check_machine(
            settings={row.name: str(getattr(settings, row.name)) for row in fields(settings)},
            data_dir=settings.data_dir,
            probes={
                **probes(settings),
                **ledger_probes(settings),
                **model_probes(settings),
                **queue_probes(settings),
            },
            root=Path("/"),
        )
        return Checkup(findings=(*found.findings, await sandbox_finding()))

    return asyncio.run(look())
