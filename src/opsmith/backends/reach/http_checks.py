"""Addresses that the targets file names, asked whether they are well; nothing else is ever asked.

An order names a check. Its address, and what must be so there, stands in the targets file; a
redirect is an answer like any other and is not followed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from opsmith.backends.reach.text_pattern import found_in
from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Values
from opsmith.seams.reach import Found, Reply, in_time
from opsmith.seams.wire import Probed, Wire

CHECK = "http.check"
# What of an answer is searched for the expected text.
READ_BYTES = 65_536
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """One address and what must be so there.

    wire: asks it. shown: the address as it may be shown. status: which are well.
    text: what the beginning of the answer holds, empty for anything; pattern: the same as an
    expression. within_s: how long the answer may take. certificate_days: how long the server's
    certificate must still be good, 0 for no matter.
    """

    wire: Wire
    shown: str
    method: str = "GET"
    status: tuple[int, ...] = (200,)
    text: str = ""
    pattern: re.Pattern[str] | None = None
    within_s: float = 10.0
    certificate_days: int = 0

    @property
    def says(self) -> str:
        """The check in words."""
        wanted = [" or ".join(map(str, self.status))]
        wanted += [f"with {self.text[:80]!r}"] if self.text else []
        wanted += [f"with a line like {self.pattern.pattern!r}"] if self.pattern else []
        days = f", certificate good for {self.certificate_days} days"
        tail = days if self.certificate_days else ""
        return f"{self._name} gives {' '.join(wanted)} within {self.within_s:g} s{tail}"

    @property
    def _name(self) -> str:
        return f"{self.method} {self.shown}"

    def fault(self, seen: Probed, now: datetime) -> str:
        """Why an answer is not what it must be; empty when it is."""
        if seen.status not in self.status:
            return f"answers {seen.status}, not {' or '.join(map(str, self.status))}"
        text = seen.content.decode("utf-8", errors="replace")
        if self.text not in text:
            return f"answers {seen.status} without {self.text[:80]!r} in its first 64 KiB"
        if self.pattern is not None and not found_in(self.pattern, text):
            return f"answers {seen.status} without a line like {self.pattern.pattern!r}"
        left_days = _days_left(seen, now)
        if self.certificate_days and (left_days is None or left_days < self.certificate_days):
            told = "unknown" if left_days is None else f"{left_days:.1f}"
            return f"has {told} days left on its certificate, not {self.certificate_days}"
        return ""


class HttpChecksReach:
    """Asks the addresses of targets. checks: by target, then by name. clock: UTC-aware."""

    def __init__(
        self,
        checks: Mapping[Entity, Mapping[str, HttpCheck]],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._checks = dict(checks)
        self._clock = clock

    def carries(self, target: Entity, verb: str) -> bool:
        """Whether the targets file has a check of this target."""
        return verb == CHECK and bool(self._checks.get(target))

    async def look(self, target: Entity, verb: str, values: Values) -> Found:
        """What would be asked; nothing is asked yet."""
        says = self._asked(target, verb, values).says
        version = hashlib.sha256(says.encode()).hexdigest()
        return Found(version=version, facts={"says": says})

    async def send(self, target: Entity, verb: str, values: Values, *, deadline_s: float) -> Reply:
        """Ask. Raises `BadAnswer` when it is not well, `Unreachable` when there is no answer."""
        check = self._asked(target, verb, values)
        name, within_s = f"{check.method} {check.shown}", min(check.within_s, deadline_s)
        began = monotonic()
        try:
            asked = check.wire.probe(check.method, most_bytes=READ_BYTES)
            seen = await in_time(asked, within_s, name)
        except BadInput as error:  # a secret or certificate of ours that cannot be read
            raise Unreachable(f"{name} cannot be asked: {error}") from error
        took_ms = (monotonic() - began) * 1000
        now = self._clock()
        fault = check.fault(seen, now)
        if fault:
            raise BadAnswer(f"{name} {fault}.")
        left_days = _days_left(seen, now)
        tail = "" if left_days is None else f"; its certificate is good for {left_days:.0f} days"
        return Reply(
            says=f"{name} answers {seen.status} in {took_ms:.0f} ms{tail}",
            facts={"status": seen.status, "took_ms": round(took_ms, 1)},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        for checks in self._checks.values():
            for check in checks.values():
                await check.wire.aclose()

    def _asked(self, target: Entity, verb: str, values: Values) -> HttpCheck:
        """The check that is meant; a target's only one needs no name."""
        if verb != CHECK:
            raise BadInput(f"An address knows no {verb[:60]!r}.")
        known = self._checks.get(target, {})
        name = str(values.get("check", "")) or (next(iter(known)) if len(known) == 1 else "")
        if name not in known:
            raise NotFound(
                f"The targets file has no check {name[:60]!r} of {target}.",
                hint=f"It has {', '.join(sorted(known)) or 'none'}.",
            )
        return known[name]


def _days_left(seen: Probed, now: datetime) -> float | None:
    ends = seen.certificate_ends
    return None if ends is None else (ends - now).total_seconds() / _DAY_S
