"""Feedback: a person's word on an alarm moves the threshold of that series, within bounds."""

from __future__ import annotations

from opsmith.nouns.anomaly import Label

# The threshold of a series stays between these shares of the fleet's: no number of labels
# makes a series mute or frantic.
LEAST, MOST = 0.7, 1.6
# A false alarm of this score must not come again; a hair above it.
ABOVE = 1.02
# A true alarm lowers the threshold of its series by a twentieth.
NARROWER = 0.95


def moved_strictness(strictness: float, label: Label, share: float) -> float:
    """The new multiplier of a series' threshold.

    strictness: the present one; share: the labelled alarm's score over the fleet's threshold.

    >>> round(moved_strictness(1.0, Label.FALSE, 1.1), 3)
    1.122
    >>> moved_strictness(1.0, Label.TRUE, 1.1)
    0.95
    """
    wanted = max(strictness, share * ABOVE) if label is Label.FALSE else strictness * NARROWER
    return min(MOST, max(LEAST, wanted))
