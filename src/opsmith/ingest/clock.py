"""Clock: whether the sources of a recording agree about the time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from opsmith.ingest.losses import Losses
from opsmith.nouns.signals import Spans

# A child that starts this much before the call that made it shows two clocks, not rounding.
SMALLEST_SKEW_S = 0.002
# Time zones lie whole quarters of an hour apart.
_QUARTER_S = 900.0
_MOST_ZONES_S = 14 * 3600.0
_SHOWN = 5

Range = tuple[float, float]


def check_ranges(ranges: Mapping[str, Range], losses: Losses) -> None:
    """Note each source whose stretch of time lies apart from that of all others.

    ranges: first and last Unix second by part.
    """
    for part, (first, last) in ranges.items():
        others = [other for name, other in ranges.items() if name != part]
        apart = [
            first - end if first > end else start - last
            for start, end in others
            if first > end or last < start
        ]
        # With two sources nobody can say which is wrong: told once, of the later in the list.
        told_before = len(ranges) == 2 and part == next(iter(ranges))  # noqa: PLR2004 - two
        if others and len(apart) == len(others) and not told_before:
            what = f"{part} ({_shown(first)} to {_shown(last)}) overlap no other source"
            losses.note(
                "clock", f"{what}; the nearest is {min(apart):.0f} s away.{_zone(ranges, part)}"
            )


def check_hosts(spans: Spans, losses: Losses) -> None:
    """Note services whose clocks run behind: calls arrive there before they leave."""
    child = np.flatnonzero(spans.parent >= 0)
    child = child[spans.entity[child] != spans.entity[spans.parent[child]]]
    if not child.size:
        return
    lead = spans.start_s[spans.parent[child]] - spans.start_s[child]
    told = []
    for number in np.unique(spans.entity[child]):
        median = float(np.median(lead[spans.entity[child] == number]))
        if median > SMALLEST_SKEW_S:
            told.append((median, str(spans.entities[number])))
    for median, name in sorted(told, reverse=True)[:_SHOWN]:
        what = f"spans of {name} start {median:.3f} s before the calls that made them (median)"
        losses.note("clock", f"{what}; its clock is behind, its gaps on that edge are not exact.")


def _zone(ranges: Mapping[str, Range], part: str) -> str:
    """A hint when a whole number of quarters of an hour would bring the part into place."""
    first, last = ranges[part]
    others = [other for name, other in ranges.items() if name != part]
    middle = sum(start + end for start, end in others) / (2 * len(others))
    shift = round((middle - (first + last) / 2) / _QUARTER_S) * _QUARTER_S
    fits = all(first + shift <= end and last + shift >= start for start, end in others)
    if fits and 0 < abs(shift) <= _MOST_ZONES_S:
        return f" A shift of {shift / 3600:+.2f} h would fit: is a time zone wrong?"
    return ""


def _shown(second: float) -> str:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
