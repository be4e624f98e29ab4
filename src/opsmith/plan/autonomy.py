"""Autonomy: how far a class of actions may go by itself, earned by its record, lost by it too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from opsmith.nouns.plan import Autonomy, Denied, Grant, Tried

# A class may act alone when, with 90 % confidence (one-sided), at least four of five of its
# plans help: seven in a row do, or 17 of 18.
WANTED = 0.8
Z_90 = 1.2815515655446004
# So many bad outcomes since the leave was given end it.
FORGIVEN = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a class of actions stands.

    level: what holds now. asked: what an operator set. good, bad: of its trials so far.
    likely: the share of plans that help, at least, with 90 % confidence.
    """

    action: str
    level: Autonomy
    asked: Autonomy
    good: int
    bad: int
    likely: float
    why: str


def standing(action: str, tried: Sequence[Tried], grant: Grant | None) -> Standing:
    """The level that holds, from the trials of `action` in order and what was granted last."""
    own = [one for one in tried if one.action == action]
    good = sum(one.helped for one in own)
    asked = grant.level if grant else Autonomy.ASK
    level, why = _level(own, grant)
    return Standing(
        action=action,
        level=level,
        asked=asked,
        good=good,
        bad=len(own) - good,
        likely=lower_bound(good, len(own)),
        why=why,
    )


def grant(
    action: str, level: Autonomy, tried: Sequence[Tried], *, by: str, at: datetime
) -> Grant | Denied:
    """Leave for a class to go so far, or why its record does not bear it."""
    own = [one for one in tried if one.action == action]
    good = sum(one.helped for one in own)
    likely = lower_bound(good, len(own))
    if level is Autonomy.AUTO and likely < WANTED:
        return Denied(
            rule="autonomy",
            reason=f"{good} of {len(own)} plans with {action} helped: at least {likely:.0%} with"
            f" 90 % confidence, and {WANTED:.0%} is asked for.",
        )
    return Grant(action=action, level=level, by=by, at=at)


def lower_bound(good: int, total: int) -> float:
    """The one-sided 90 % lower bound of a share. Source: Wilson (1927), equation for the interval.

    >>> round(lower_bound(7, 7), 2), round(lower_bound(0, 0), 2)
    (0.81, 0.0)
    """
    if total == 0:
        return 0.0
    share, z2 = good / total, Z_90**2
    centre = share + z2 / (2 * total)
    spread = Z_90 * math.sqrt((share * (1 - share) + z2 / (4 * total)) / total)
    return max(0.0, (centre - spread) / (1 + z2 / total))


def _level(own: Sequence[Tried], grant: Grant | None) -> tuple[Autonomy, str]:
    if grant is None:
        return Autonomy.ASK, "nobody has set it"
    if grant.level is not Autonomy.AUTO:
        return grant.level, f"{grant.by} set it"
    bad = sum(not one.helped and not one.shadow and one.at >= grant.at for one in own)
    if bad > FORGIVEN:
        return Autonomy.ASK, f"lost: {bad} bad outcomes since {grant.by} gave leave"
    return Autonomy.AUTO, f"earned, and {grant.by} gave leave"
