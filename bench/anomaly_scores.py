"""Scores of anomaly detectors: the NAB rule, VUS-PR and pooled F1.

Each takes a list of judged series: the scores of all rows, labels and windows; nothing is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# NAB, config/profiles.json: weights of a hit, of a false row and of a missed window.
PROFILES = {
    "standard": (1.0, 0.11, 1.0),
    "reward_low_FP_rate": (1.0, 0.22, 1.0),
    "reward_low_FN_rate": (1.0, 0.11, 2.0),
}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a detector said of one series, and what is true.

    scores: (n,) higher is odder; labels: (n,) bool; windows: (first, last) rows;
    probation: the first row that counts.
    """

    scores: Floats
    labels: NDArray[np.bool_]
    windows: tuple[tuple[int, int], ...]
    probation: int


def _sigmoid(position: Floats) -> Floats:
    """NAB's scaled sigmoid of the place in (or behind) a window.

    Source: Lavin & Ahmad, "Evaluating real-time anomaly detection algorithms" (2015), eq. 2.
    """
    bent = 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0
    return np.where(position > 3.0, -1.0, bent)


def _rewards(judged: Judged, profile: str) -> tuple[Floats, NDArray[np.int64]]:
    """What each row is worth when detected, and its window (-1 for none)."""
    hit, false, _ = PROFILES[profile]
    n = len(judged.scores)
    worth, owner = np.full(n, -false), np.full(n, -1)
    full = float(_sigmoid(np.array(-1.0)))
    for number, (first, last) in enumerate(judged.windows):
        width = last - first + 1
        behind = np.arange(last + 1, n)
        if len(behind) and width > 1:
            worth[behind] = false * _sigmoid((behind - last) / (width - 1.0))
        inside = np.arange(first, last + 1)
        worth[inside] = hit * _sigmoid(-(last - inside + 1.0) / width) / full
        owner[inside] = number
    for number, (first, last) in enumerate(judged.windows):
        owner[first : last + 1] = number
    return worth, owner


def nab_curve(series: list[Judged], profile: str = "standard") -> tuple[Floats, Floats]:
    """Every useful threshold (falling) and the normalised NAB score at each.

    The first threshold is infinity: nothing is detected, score 0.
    """
    hit, _, miss = PROFILES[profile]
    scores, worths, owners, windows = [], [], [], 0
    for judged in series:
        worth, owner = _rewards(judged, profile)
        counted = slice(judged.probation, None)
        kept = np.unique(owner[counted][owner[counted] >= 0])
        number = np.full(len(judged.windows) + 1, -1)
        number[kept] = windows + np.arange(len(kept))
        windows += len(kept)
        scores.append(judged.scores[counted])
        worths.append(worth[counted])
        owners.append(number[owner[counted]])
    score, worth, owner = (np.concatenate(part) for part in (scores, worths, owners))
    order = np.argsort(-score, kind="stable")
    totals = -miss * windows + np.cumsum(_gains(worth[order], owner[order], windows, -miss))
    score = score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    span = (hit + miss) * windows
    normal = 100.0 * (totals[last] + miss * windows) / span if windows else totals[last]
    return np.append(np.inf, score[last]), np.append(0.0, normal)


def _gains(worth: Floats, owner: NDArray[np.int64], windows: int, missed: float) -> Floats:
    """How the raw score changes as rows become detections one after the other."""
    gain, best = worth.copy(), np.full(windows, missed)
    for row in np.flatnonzero(owner >= 0):
        window = owner[row]
        gain[row] = max(0.0, worth[row] - best[window])
        best[window] = max(best[window], worth[row])
    return gain


def nab_at(series: list[Judged], threshold: float, profile: str = "standard") -> float:
    """The NAB score when every row at or above `threshold` is a detection."""
    thresholds, scores = nab_curve(series, profile)
    return float(scores[np.flatnonzero(thresholds >= threshold)[-1]])


def false_rows(series: list[Judged], threshold: float) -> int:
    """Detected rows outside all windows and labels, past probation."""
    return sum(int(((j.scores >= threshold) & ~j.labels)[j.probation :].sum()) for j in series)


def pooled_f1(series: list[Judged], threshold: float) -> float:
    """F1 of rows over all series together at one threshold."""
    flagged = np.concatenate([j.scores[j.probation :] >= threshold for j in series])
    truth = np.concatenate([j.labels[j.probation :] for j in series])
    both = int((flagged & truth).sum())
    return 2.0 * both / max(1, int(flagged.sum()) + int(truth.sum()))


def f1_curve(series: list[Judged]) -> tuple[Floats, Floats]:
    """Every threshold (falling) and the pooled F1 at each."""
    scores = np.concatenate([j.scores[j.probation :] for j in series])
    truth = np.concatenate([j.labels[j.probation :] for j in series])
    order = np.argsort(-scores, kind="stable")
    score, hits = scores[order], np.cumsum(truth[order])
    f1 = 2.0 * hits / (np.arange(1, len(score) + 1) + truth.sum())
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    return score[last], f1[last]


def vus_pr(judged: Judged, *, largest_buffer: int = 30, cuts: int = 250) -> float:
    """Volume under the precision-recall surface over buffers 0 to `largest_buffer` rows.

    NaN without a label past probation.
    Source: Paparrizos et al., "Volume Under the Surface", PVLDB 15 (2022), section 4:
    labels grow a slope sqrt(1 - d/l) on both sides, recall is damped by the share of
    ranges touched. Thresholds are the scores at `cuts` even ranks.
    """
    truth = judged.labels[judged.probation :].astype(float)
    score = judged.scores[judged.probation :]
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    sorted_scores = -score[order]
    ranks = np.linspace(0, len(score) - 1, cuts).astype(int)
    flagged = np.searchsorted(sorted_scores, sorted_scores[ranks], side="right")
    buffers = range(largest_buffer + 1)
    areas = [_range_pr(truth, score, order, flagged, buffer) for buffer in buffers]
    return float(np.mean(areas))


def _range_pr(
    truth: Floats, score: Floats, order: NDArray[np.int64], flagged: NDArray[np.int64], buffer: int
) -> float:
    soft = _sloped(truth, buffer)
    hits = np.cumsum(soft[order])[flagged - 1]
    positives = (truth.sum() + soft.sum()) / 2.0
    peaks = np.array([score[first : last + 1].max() for first, last in ranges(soft > 0)])
    thresholds = score[order][flagged - 1]
    touched = (peaks[None, :] >= thresholds[:, None]).mean(axis=1)
    recall = np.append(0.0, np.minimum(hits / positives, 1.0) * touched)
    precision = hits / flagged
    return float(np.sum(np.diff(recall) * precision))


def _sloped(truth: Floats, buffer: int) -> Floats:
    if buffer == 0:
        return truth
    soft, n, half = truth.copy(), len(truth), buffer // 2
    for first, last in ranges(truth > 0):
        after = np.arange(last, min(last + half, n))
        soft[after] += np.sqrt(1.0 - (after - last) / buffer)
        before = np.arange(max(first - half, 0), first)
        soft[before] += np.sqrt(1.0 - (first - before) / buffer)
    return np.minimum(soft, 1.0)


def ranges(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last row of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], marked.astype(int), [0]))))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
