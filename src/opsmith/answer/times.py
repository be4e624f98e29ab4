"""Windows of tasks: slots such as `1h`, `yesterday` or `14:20` -> a stretch of time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from opsmith.errors import BadInput
from opsmith.nouns.task import SlotValue

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
# What "now" is shown with: enough to see where a value comes from.
AROUND_NOW = timedelta(minutes=15)
DEFAULT = timedelta(hours=1)
_OFFSET = re.compile(r"UTC([+-])(\d{1,2})(?::?(\d{2}))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of time, UTC-aware. stated: whether the question named it; now: asks for now."""

    start: datetime
    end: datetime
    stated: bool = True
    now: bool = False

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


def seconds_of(text: str) -> int:
    """A duration slot such as `90m` or `1h30m`, seconds. Raises `BadInput`."""
    if not re.fullmatch(r"(?:\d{1,6}[smhdw]){1,4}", text):
        raise BadInput(f"{text[:40]!r} is no length of time.")
    return sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))


def span_of(
    slots: Mapping[str, SlotValue], *, zone: str, now: datetime, default: timedelta = DEFAULT
) -> Span:
    """The time that a task asks about, up to `now`. Clock times are the last such, in `zone`."""
    place = zone_of(zone)
    here = now.astimezone(place)
    if "start" in slots:
        return _clocked(slots, here)
    window = str(slots.get("window", ""))
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if not window:
        return Span(start=now - default, end=now, stated=False)
    if window == "now":
        return Span(start=now - AROUND_NOW, end=now, now=True)
    if window == "yesterday":
        return _utc(_midnight_before(midnight, 1), midnight)
    if window in ("today", "this_week"):
        back = midnight.weekday() if window == "this_week" else 0
        return _utc(_midnight_before(midnight, back), here)
    return Span(start=now - timedelta(seconds=seconds_of(window)), end=now)


def zone_of(zone: str) -> tzinfo:
    """A zone by its name or as UTC+8. Raises `BadInput`."""
    offset = _OFFSET.match(zone)
    try:
        if offset:
            away = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
            return timezone(away if offset[1] == "+" else -away)
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            f"{zone[:40]!r} is no time zone; write for example Asia/Shanghai."
        ) from error


def _midnight_before(midnight: datetime, days: int) -> datetime:
    """Midnight so many days earlier, on the calendar of the zone."""
    return midnight - timedelta(days=days)


def _clocked(slots: Mapping[str, SlotValue], here: datetime) -> Span:
    start = _last(str(slots["start"]), here)
    if "end" not in slots:
        return _utc(start, min(here, start + DEFAULT))
    end = _clock(str(slots["end"]), start)
    return _utc(start, min(here, end if end > start else end + timedelta(days=1)))


def _last(text: str, here: datetime) -> datetime:
    found = _clock(text, here)
    return found if found <= here else found - timedelta(days=1)


def _clock(text: str, day: datetime) -> datetime:
    hour, minute = (int(part) for part in text.split(":"))
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(hours=hour, minutes=minute)


def _utc(start: datetime, end: datetime) -> Span:
    return Span(start=start.astimezone(UTC), end=end.astimezone(UTC))
