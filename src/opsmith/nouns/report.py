"""Report: what a person or a program reads about an incident; a pure function of its inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The same answer in four forms; each holds no time but those of the incident itself.

    text: for a terminal; markdown: CommonMark with GFM tables; html: one file that loads nothing;
    json: one object, by the schema in `explain/schemas/investigate.json`.
    """

    text: str
    markdown: str
    html: str
    json: str
