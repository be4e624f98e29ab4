"""Association: how strongly a metric's change speaks for an alert, and signals for each other."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The shares of time and of words in the weight of TRIGGERS; as the published design has them.
TIME_SHARE = 0.7
WORD_SHARE = 0.3

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
# What names of metrics and alerts carry beside their subject: units and kinds (Prometheus,
# "Metric and label naming"), and what every alert says of itself.
_EMPTY = re.compile(
    "total|sum|count|bucket|created|seconds?|milliseconds|ms|bytes?|ratio|percent|info"
    "|service|instance|host|high|low|too|many|is|are|the|of|on|in|for|alert|firing"
)
_LEAST_PLURAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The weight of TRIGGERS, 0 to 1, with its parts.

    delay_s: from the metric's change to the alert, below 0 when the alert came first.
    decay: the share of time, 0 to 1. overlap: Jaccard index of the two names' words, 0 to 1.
    """

    weight: float
    delay_s: float
    decay: float
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Togetherness:
    """How much oftener signals act together than chance would have it; all arrays (n, n).

    together: bins in which both act; alone: (n,) bins in which each acts; bins: how many.
    npmi: normalised pointwise mutual information, -1 to 1, 0 for independence.
    weight: npmi where positive, discounted for few observations, 0 to 1; 0 on the diagonal.
    """

    together: NDArray[np.float64]
    alone: NDArray[np.float64]
    bins: int
    npmi: NDArray[np.float64]
    weight: NDArray[np.float64]


def trigger(
    *, delay_s: float, scrape_s: float, alert: frozenset[str], metric: frozenset[str]
) -> Trigger:
    """Weigh whether a metric's change set off an alert.

    weight = 0.7 min(1, 1 / log10(max(delay, 0) + 2)) + 0.3 |A & M| / |A | M|.
    An alert that precedes the change by more than one scrape cannot come of it: only the words
    count then. delay_s NaN (no change seen) counts like that.
    scrape_s: how far apart the metric's samples are, seconds. alert, metric: from `words`.

    >>> round(trigger(delay_s=98, scrape_s=15, alert=words("SlowCart"), metric=words("cart_rate"))
    ...       .weight, 3)
    0.45
    """
    decay = 0.0
    if delay_s >= -scrape_s:
        decay = min(1.0, 1.0 / math.log10(max(delay_s, 0.0) + 2.0))
    either = alert | metric
    overlap = len(alert & metric) / len(either) if either else 0.0
    return Trigger(
        weight=TIME_SHARE * decay + WORD_SHARE * overlap,
        delay_s=delay_s,
        decay=decay,
        overlap=overlap,
    )


def words(*texts: str) -> frozenset[str]:
    """The words that names are made of: split at case and signs, lower case, singular.

    >>> sorted(words("HTTPRequestsSlow", "http_request_duration_seconds"))
    ['duration', 'http', 'request', 'slow']
    """
    found = (word.lower() for text in texts for word in _WORD.findall(text))
    return frozenset(_singular(word) for word in found if not _EMPTY.fullmatch(word))


def togetherness(active: NDArray[np.bool_]) -> Togetherness:
    """Compare how often each two signals act together with what their base rates foretell.

    active: (n, bins), whether signal i acts in a stretch of time; the stretches are of one
    length and cover health as well as trouble, for without health there is no base rate.
    npmi = log(p(a,b) / p(a) p(b)) / -log p(a,b).
    weight = max(npmi, 0) * c / (c + 1) * m / (m + 1), with c the bins together and m those of
    the rarer signal: one coincidence is worth a quarter of its npmi.
    Sources: Bouma (2009), Normalized (pointwise) mutual information in collocation extraction,
    eq. 7; the discount: Pantel & Lin (2002), Discovering word senses from text, section 3.
    """
    acts = active.astype(np.float64)
    bins = active.shape[1]
    together = acts @ acts.T
    alone = acts.sum(axis=1)
    rarer = np.minimum(alone[:, None], alone[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.log(together * bins / (alone[:, None] * alone[None, :]))
        npmi = lift / -np.log(together / bins)
    # Never together is -1 by definition; always together in every bin says nothing.
    npmi = np.where(together > 0, npmi, -1.0)
    npmi = np.where(together >= bins, 0.0, npmi)
    npmi = np.where(alone[:, None] * alone[None, :] > 0, npmi, 0.0)
    weight = np.maximum(npmi, 0.0) * together / (together + 1.0) * rarer / (rarer + 1.0)
    np.fill_diagonal(weight, 0.0)
    return Togetherness(together=together, alone=alone, bins=bins, npmi=npmi, weight=weight)


def _singular(word: str) -> str:
    plural = len(word) >= _LEAST_PLURAL and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural else word
