"""Sampling: how many spans, or log records, a kept one stands for.

Sources: OpenTelemetry "TraceState: Probability Sampling" (`ot=th:`, and the older `ot=p:`);
Jaeger's `sampler.type` and `sampler.param`; Honeycomb's `SampleRate` (one in so many).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

PROBABILITY = ("sampling.probability", "sampling.ratio", "otel.sampling.probability")
ONE_IN = ("sampling.adjusted_count", "SampleRate", "sample_rate", "sampling.rate")
# One in a million; a smaller share is a mistake rather than a rate.
_LARGEST_WEIGHT = 1e6
_THRESHOLD_DIGITS = 14
_SMALLEST_POWER = 20


NAMES = frozenset((*PROBABILITY, *ONE_IN, "sampler.type"))
# Under this name a weight of our own is written; it beats all others but a probability.
ADJUSTED = ONE_IN[0]


def weight(attributes: Mapping[str, str], resource: Mapping[str, str], trace_state: str) -> float:
    """1 / kept rate, at least 1: the span's own attributes, then the resource's, then tracestate.

    >>> weight({"sampling.probability": "0.25"}, {}, ""), weight({}, {}, "ot=th:c")
    (4.0, 4.0)
    """
    for told in (attributes, resource):
        if (found := told_weight(told)) is not None:
            return found
    return (_from_state(trace_state) if "ot=" in trace_state else None) or 1.0


def told_weight(told: Mapping[str, str]) -> float | None:
    """What one set of attributes says; None when it says nothing, or nothing plausible."""
    if NAMES.isdisjoint(told):
        return None
    for key in PROBABILITY:
        if key in told:
            return _plausible(1.0, _number(told[key]))
    for key in ONE_IN:
        if key in told:
            return _plausible(_number(told[key]), 1.0)
    if told.get("sampler.type") == "probabilistic":
        return _plausible(1.0, _number(told.get("sampler.param", "")))
    return None


def _from_state(trace_state: str) -> float | None:
    for vendor in trace_state.split(","):
        name, _, members = vendor.strip().partition("=")
        if name != "ot":
            continue
        for member in members.split(";"):
            key, _, value = member.partition(":")
            if key == "th":
                return _from_threshold(value)
            if key == "p" and value.isdecimal() and int(value) <= _SMALLEST_POWER:
                return float(2 ** int(value))
    return None


def _from_threshold(digits: str) -> float | None:
    if not 0 < len(digits) <= _THRESHOLD_DIGITS:
        return None
    try:
        rejected = int(digits.ljust(_THRESHOLD_DIGITS, "0"), 16) / 16**_THRESHOLD_DIGITS
    except ValueError:
        return None
    return _plausible(1.0, 1.0 - rejected)


def _plausible(count: float, share: float) -> float | None:
    if not (share > 0 and count > 0):
        return None
    found = count / share
    return found if math.isfinite(found) and 1.0 <= found <= _LARGEST_WEIGHT else None


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
