"""Report: what a person reads about an incident; a pure function of its inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The same report in three forms; each holds no time but those of the incident itself."""

    text: str
    markdown: str
    html: str
