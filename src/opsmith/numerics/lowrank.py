"""A low-rank adapter over sentence vectors and a linear head, fitted with exact gradients.

The adapter is LoRA (Hu et al. 2021, section 4.1) with the frozen weight being the identity that
stands after the encoder: v = z + s B A z. The head is multinomial logistic regression on v / |v|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Loss = Callable[[Floats], tuple[float, Floats]]

# Ridge of the head and of the adapter, chosen on the validation part of CLINC150 among
# 3e-6 .. 1e-4 and 1e-4 .. 1e-2 (docs/decisions/0006).
HEAD_RIDGE = 1e-5
ADAPTER_RIDGE = 1e-3
_HEAD_STEPS, _JOINT_STEPS = 100, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """A fitted adapter and head for vectors of width d, of rank r and k labels.

    centre: (d,) taken off each vector. down: (r, d). up: (d, r), all 0 for no adapter.
    weights: (k, d). bias: (k,). temperature: above 0, divides the logits.
    """

    centre: Floats
    down: Floats
    up: Floats
    weights: Floats
    bias: Floats
    temperature: float = 1.0

    @property
    def rank(self) -> int:
        """The rank of the adapter."""
        return int(self.down.shape[0])


def probabilities(x: Floats, fitted: LowRank) -> Floats:
    """Calibrated probabilities. x: (n, d). Returns (n, k), each row adds up to 1.

    >>> one = LowRank(centre=np.zeros(2), down=np.zeros((1, 2)), up=np.zeros((2, 1)),
    ...     weights=np.array([[1.0, 0.0], [0.0, 1.0]]), bias=np.zeros(2))
    >>> probabilities(np.array([[3.0, 0.0]]), one).round(2).tolist()
    [[0.73, 0.27]]
    """
    found = np.exp(_log_softmax(logits(x, fitted) / fitted.temperature))
    return np.asarray(found, dtype=np.float64)


def logits(x: Floats, fitted: LowRank) -> Floats:
    """Uncalibrated scores. x: (n, d). Returns (n, k)."""
    z = _unit(x - fitted.centre)
    return _unit(z + (z @ fitted.down.T) @ fitted.up.T) @ fitted.weights.T + fitted.bias


def fit(x: Floats, y: Labels, *, classes: int, rank: int, rng: np.random.Generator) -> LowRank:
    """Fit the head on the frozen vectors, then head and adapter together from there.

    x: (n, d) sentence vectors. y: (n,) labels in 0 .. classes - 1.
    """
    start = fit_head(x, y, classes=classes, rank=rank, rng=rng)
    return _fit_joint(_unit(x - start.centre), y, start)


def fit_head(
    x: Floats, y: Labels, *, classes: int, rank: int, rng: np.random.Generator
) -> LowRank:
    """Fit the head alone; the adapter is there and changes nothing (up is 0)."""
    d = x.shape[1]
    centre = x.mean(axis=0)
    z = _unit(x - centre)
    shapes = ((classes, d), (classes,))

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights, bias = _parts(flat, shapes)
        cost, slope = _cross_entropy(z @ weights.T + bias, y)
        gradient = slope.T @ z + HEAD_RIDGE * weights
        return cost + HEAD_RIDGE / 2 * float((weights**2).sum()), _flat(gradient, slope.sum(0))

    weights, bias = _parts(_minimum(loss, np.zeros(classes * d + classes), _HEAD_STEPS), shapes)
    # A normal start for A and 0 for B, as in the paper: at first the model is the frozen one.
    down = rng.normal(0.0, d**-0.5, (rank, d))
    return LowRank(centre=centre, down=down, up=np.zeros((d, rank)), weights=weights, bias=bias)


def joint_loss(flat: Floats, z: Floats, y: Labels, like: LowRank) -> tuple[float, Floats]:
    """The loss of adapter and head together, and its exact gradient.

    flat: down, up, weights and bias of the shapes of `like`, one after another.
    z: (n, d) centred vectors of length 1.
    """
    down, up, weights, bias = _parts(flat, _shapes(like))
    low = z @ down.T
    v = z + low @ up.T
    length = np.linalg.norm(v, axis=1, keepdims=True)
    u = v / length
    cost, slope = _cross_entropy(u @ weights.T + bias, y)
    to_u = slope @ weights
    to_v = (to_u - u * (to_u * u).sum(axis=1, keepdims=True)) / length
    ridge = ADAPTER_RIDGE * ((down**2).sum() + (up**2).sum()) + HEAD_RIDGE * (weights**2).sum()
    return cost + float(ridge) / 2, _flat(
        (to_v @ up).T @ z + ADAPTER_RIDGE * down,
        to_v.T @ low + ADAPTER_RIDGE * up,
        slope.T @ u + HEAD_RIDGE * weights,
        slope.sum(axis=0),
    )


def best_temperature(scores: Floats, y: Labels) -> float:
    """The temperature that makes held-out labels most probable (Guo et al. 2017, section 4.2).

    As in Platt (1999), the label counts (n + 1) / (n + 2) and not 1, so that a few held-out
    sentences that are all right promise no certainty.
    scores: (n, k) logits of sentences that were not trained on. Returns 0.05 to 20.
    """
    grid = np.geomspace(0.05, 20.0, 200)
    n, k = scores.shape
    spread = 1 / (n + 2)
    target = np.full((n, k), spread / max(1, k - 1))
    target[np.arange(n), y] = 1 - spread
    cost = [-(target * _log_softmax(scores / t)).sum(axis=1).mean() for t in grid]
    return float(grid[int(np.argmin(cost))])


def abstention_threshold(best: Floats, right: NDArray[np.bool_], *, precision: float) -> float:
    """The lowest probability from which on answers are right with `precision`.

    best: (n,) probability of the chosen label, right: (n,) whether it was right, both held out.
    Returns 1 when no threshold reaches it.

    >>> abstention_threshold(np.array([0.2, 0.6, 0.9]), np.array([False, True, True]),
    ...     precision=1.0)
    0.6
    """
    order = np.argsort(-best, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(share >= precision)
    return float(best[order][good[-1]]) if good.size else 1.0


def _fit_joint(z: Floats, y: Labels, start: LowRank) -> LowRank:
    first = _flat(start.down, start.up, start.weights, start.bias)
    found = _minimum(lambda flat: joint_loss(flat, z, y, start), first, _JOINT_STEPS)
    down, up, weights, bias = _parts(found, _shapes(start))
    return replace(start, down=down, up=up, weights=weights, bias=bias)


def _shapes(fitted: LowRank) -> tuple[tuple[int, ...], ...]:
    return fitted.down.shape, fitted.up.shape, fitted.weights.shape, fitted.bias.shape


def _cross_entropy(scores: Floats, y: Labels) -> tuple[float, Floats]:
    """The mean loss and its slope by the scores, (n, k)."""
    n, rows = len(y), np.arange(len(y))
    logs = _log_softmax(scores)
    slope = np.exp(logs)
    slope[rows, y] -= 1.0
    return float(-logs[rows, y].mean()), slope / n


def _log_softmax(scores: Floats) -> Floats:
    """The logarithms of each row's shares, (n, k); the greatest is taken off first."""
    low = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(low - np.log(np.exp(low).sum(axis=1, keepdims=True)), dtype=np.float64)


def _minimum(loss: Loss, start: Floats, steps: int) -> Floats:
    from scipy.optimize import minimize  # noqa: PLC0415 - only fitting needs it; 0.15 s to load

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return np.asarray(found.x, dtype=np.float64)


def _unit(x: Floats) -> Floats:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.maximum(length, 1e-12), dtype=np.float64)


def _flat(*arrays: Floats) -> Floats:
    return np.concatenate([array.ravel() for array in arrays])


def _parts(flat: Floats, shapes: tuple[tuple[int, ...], ...]) -> list[Floats]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]
