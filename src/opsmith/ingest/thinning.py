"""Adaptive sampling of event streams: the busier a stream, the smaller the share that is kept.

Every kept event stands for 1 / share events, so that weighted sums and counts are unbiased:
the share depends on what came before, never on the event itself.
Source: Horvitz & Thompson, "A generalization of sampling without replacement from a finite
universe" (JASA, 1952). Only events are sampled; a cumulative counter has no events to leave out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from opsmith.errors import BadInput

MOST_STREAMS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Up to `up_to` events a second, the share `share` of them is kept."""

    up_to: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinningRules:
    """Which share is kept at which rate.

    steps: by rising rate; the last one holds for all above. window_s: time constant of the
    moving average of the rate. calmer: a rate must fall below this share of a bound before
    more is kept again, so that a rate near a bound does not make it flicker.
    """

    steps: tuple[Step, ...] = (
        Step(up_to=100.0, share=1.0),
        Step(up_to=5_000.0, share=0.1),
        Step(up_to=math.inf, share=0.01),
    )
    window_s: float = 60.0
    calmer: float = 0.8

    def __post_init__(self) -> None:
        bounds = [step.up_to for step in self.steps]
        if not bounds or bounds != sorted(set(bounds)):
            raise BadInput("The steps of sampling need rates that rise.")
        if any(not 0 < step.share <= 1 for step in self.steps):
            raise BadInput("The share of events that is kept is above 0 and at most 1.")


class _Stream:
    """The rate of one stream and its step."""

    __slots__ = ("counted", "rate", "since_s", "step")

    def __init__(self, now_s: float) -> None:
        self.rate = 0.0
        self.counted = 0
        self.since_s = now_s
        self.step = 0


class Thinning:
    """Decides event by event. seen, kept: events so far; seen - kept were left out."""

    # How often the rate is brought up to date, seconds.
    EVERY_S = 1.0

    def __init__(self, rules: ThinningRules) -> None:
        self._rules = rules
        self._streams: dict[object, _Stream] = {}
        self.seen = 0
        self.kept = 0

    def weight(self, stream: object, chance: float, *, now_s: float) -> float:
        """How many events this one stands for, 0.0 when it is left out.

        stream: what the event is one of. chance: uniform in [0, 1), independent of the event's
        content; events with one chance (those of one trace) stay together. now_s: steady clock.
        """
        one = self._streams.get(stream)
        if one is None:
            one = self._opened(stream, now_s)
        if now_s - one.since_s >= self.EVERY_S:
            self._measure(one, now_s)
        one.counted += 1
        self.seen += 1
        share = self._rules.steps[one.step].share
        if chance >= share:
            return 0.0
        self.kept += 1
        return 1.0 / share

    def shares(self) -> dict[object, tuple[float, float]]:
        """The rate (events a second) and the share of every stream."""
        steps = self._rules.steps
        return {name: (one.rate, steps[one.step].share) for name, one in self._streams.items()}

    def _opened(self, stream: object, now_s: float) -> _Stream:
        """The streams beyond the bound are one."""
        name = stream if len(self._streams) < MOST_STREAMS else None
        return self._streams.setdefault(name, _Stream(now_s))

    def _measure(self, one: _Stream, now_s: float) -> None:
        passed = now_s - one.since_s
        weight = -math.expm1(-passed / self._rules.window_s)
        one.rate += weight * (one.counted / passed - one.rate)
        one.counted, one.since_s = 0, now_s
        steps = self._rules.steps
        while one.step < len(steps) - 1 and one.rate > steps[one.step].up_to:
            one.step += 1
        while one.step and one.rate < self._rules.calmer * steps[one.step - 1].up_to:
            one.step -= 1
