"""Source: where series are to be read from, as a person said it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of series, or a Prometheus-compatible server.

    query: PromQL for a server, a series selector for a file (None takes all of it).
    file: path of a CSV, Parquet or OpenMetrics file.
    url: the server's, None for the one of the settings.
    history: how far back a server is asked; a file is read whole.
    """

    query: str | None = None
    file: str | None = None
    url: str | None = None
    history: timedelta = timedelta(days=14)
