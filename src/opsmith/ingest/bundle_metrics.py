"""The metrics of a bundle as they were scraped: names, labels and values untouched.

`bundle.read` gives them a meaning and leaves raw buckets out; whoever asks in PromQL wants what
the server had.
"""

from __future__ import annotations

from pathlib import Path

from opsmith.ingest import files, openmetrics, parquet
from opsmith.ingest.bundle import METRICS
from opsmith.ingest.losses import Losses
from opsmith.ingest.samples import RawSeries
from opsmith.nouns.redaction import redact_pairs
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit


def scraped(folder: Path) -> tuple[Series, ...]:
    """Every series in the metrics files of a bundle; empty when it has none."""
    losses = Losses()
    found: list[Series] = []
    for name, reader in zip(METRICS, (openmetrics.read, parquet.read), strict=True):
        path = files.find(folder, name, "metrics", losses)
        if path is not None:
            found.extend(map(_untouched, reader(path, losses)))
    return tuple(found)


def _untouched(raw: RawSeries) -> Series:
    return Series(
        name=raw.name,
        labels=redact_pairs(raw.labels),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=MetricKind.GAUGE,
        times_s=raw.times_s,
        values=raw.values,
    )
