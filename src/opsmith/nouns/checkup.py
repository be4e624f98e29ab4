"""Checkup: what is installed, reachable and missing on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How one thing was found.

    ok: there and usable; absent: optional and not there; missing: needed and not there;
    unreachable: configured, and it does not answer.
    """

    OK = "ok"
    ABSENT = "absent"
    MISSING = "missing"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. hint: what to do about it, empty when nothing is to be done.

    area: python | package | extra | tool | setting | data | server | kernel.
    """

    area: str
    name: str
    state: State
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """All findings, area by area."""

    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        """The worst that matters: missing before unreachable before ok."""
        seen = {finding.state for finding in self.findings}
        return next((bad for bad in (State.MISSING, State.UNREACHABLE) if bad in seen), State.OK)
