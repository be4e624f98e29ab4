"""Report: what a person or a program reads about an incident; a pure function of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """The same answer in four forms; each holds no time but those of the incident itself.

    A form is written when it is first asked for: a terminal need not wait for a page.
    """

    write_text: Callable[[], str]
    write_markdown: Callable[[], str]
    write_html: Callable[[], str]
    write_json: Callable[[], str]

    @cached_property
    def text(self) -> str:
        """For a terminal."""
        return self.write_text()

    @cached_property
    def markdown(self) -> str:
        """CommonMark with GFM tables."""
        return self.write_markdown()

    @cached_property
    def html(self) -> str:
        """One file that loads nothing."""
        return self.write_html()

    @cached_property
    def json(self) -> str:
        """One object, by the schema in `explain/schemas/investigate.json`."""
        return self.write_json()
