"""Look: what one investigation was made from and gave, by digest, so that it can be redone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opsmith.nouns.diagnosis import PathWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One investigation. Digests are SHA-256 in hexadecimal.

    bundle: of all its files with their names. weights: of the ranking weights.
    html, markdown, json: of the forms of the report. version: of opsmith. at: UTC-aware.
    seen_before: what the report tells of earlier incidents like this one, as it tells it.
    """

    incident: str
    bundle: str
    weights: str
    html: str
    markdown: str
    json: str
    version: str
    top: int
    path_weights: PathWeights
    at: datetime
    seen_before: tuple[str, ...] = ()
