"""The repository seam: versions of text files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Repository(Protocol):
    """Gives the text files of a version.

    Raises `Unreachable` when it cannot be read, `BadInput` when a version holds too much.
    """

    async def resolve(self, revision: str) -> str | None:
        """The full id of a revision (a tag, a branch, an id), None when there is none."""

    async def folders(self, revision: str) -> tuple[str, ...]:
        """The paths of all folders of a revision, by their full id."""

    async def texts(self, revision: str, under: str) -> Mapping[str, str]:
        """Path to text of the YAML and JSON files under a folder (empty for all of it)."""
