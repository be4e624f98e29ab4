"""Remedy: what a runbook made of an incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opsmith.nouns.incident import Blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What a runbook made of an incident. plan: its id, empty in shadow mode. at: UTC-aware."""

    incident: str
    blame: Blame
    runbook: str
    actions: tuple[str, ...]
    plan: str
    at: datetime
