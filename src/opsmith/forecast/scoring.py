"""How good forecasts were, on a series' own history: MASE, pinball loss and coverage.

Sources: Hyndman & Koehler (2006) for MASE; Gneiting & Raftery (2007) for the pinball loss, whose
mean over levels is half the continuous ranked probability score.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.grid import regular
from opsmith.forecast.predict import BLEND, judge, prepared
from opsmith.nouns.forecast import LEVELS, MEDIAN, Score
from opsmith.nouns.series import Series

# A constant that stays is covered, whatever the last bit of a double says.
SLACK = 1e-9
ORIGINS = 3


def score_series(
    series: Series, *, horizon_s: float, without: frozenset[str] = frozenset()
) -> dict[str, list[tuple[float, float, float, float]]]:
    """(mase, pinball, covered80, covered95) of every model at each of three origins.

    The origins lie one horizon apart; each forecast sees only what precedes its origin. Empty
    when the history is shorter than five horizons. Raises BadInput as `forecast`.
    """
    grid, bounds = prepared(series, horizon_s)
    steps = max(1, round(horizon_s / grid.step_s))
    out: dict[str, list[tuple[float, float, float, float]]] = {}
    for back in range(ORIGINS, 0, -1):
        origin = grid.y.size - back * steps
        if origin < 2 * steps or np.count_nonzero(np.isfinite(grid.y[:origin])) < 3:  # noqa: PLR2004 - as `regular`
            continue
        past = regular(grid.y[:origin], step_s=grid.step_s, start_s=grid.start_s)
        actual = grid.y[origin : origin + steps]
        scale = naive_error(past.y, past.day)
        if not np.isfinite(actual).any() or not scale > 0:
            continue
        judged = judge(past, steps, bounds, without=without)
        said = {BLEND: judged.quantiles, "choice": judged.around(judged.picked)}
        said |= {name: judged.around(at) for at, name in enumerate(judged.names)}
        for model, quantiles in said.items():
            one = score(bounds.keep(quantiles), actual, scale)
            out.setdefault(model, []).append(one)
    return out


def mean_scores(
    found: Iterable[dict[str, list[tuple[float, float, float, float]]]],
) -> tuple[Score, ...]:
    """The mean of each model over all series, best first."""
    pooled: dict[str, list[tuple[float, float, float, float]]] = {}
    for one in found:
        for model, rows in one.items():
            pooled.setdefault(model, []).extend(rows)
    scores = []
    for model, rows in pooled.items():
        mase, pinball, covered80, covered95 = (float(v) for v in np.mean(rows, axis=0))
        scores.append(
            Score(
                model=model,
                mase=mase,
                pinball=pinball,
                covered80=covered80,
                covered95=covered95,
                tries=len(rows),
            )
        )
    return tuple(sorted(scores, key=lambda score: score.mase))


def score(
    quantiles: NDArray[np.float64], actual: NDArray[np.float64], scale: float
) -> tuple[float, float, float, float]:
    """(mase, pinball, covered80, covered95) of quantiles (11, h) for actual (h,), NaN a gap."""
    known = np.isfinite(actual)
    said, came = quantiles[:, known], actual[known]
    level = np.array(LEVELS)[:, None]
    off = came - said
    pinball = np.where(off >= 0, level * off, (level - 1.0) * off)
    slack = SLACK * (1.0 + float(np.abs(came).max()))
    inside80 = (came >= said[1] - slack) & (came <= said[-2] + slack)
    inside95 = (came >= said[0] - slack) & (came <= said[-1] + slack)
    return (
        float(np.abs(off[MEDIAN]).mean() / scale),
        float(2.0 * pinball.mean() / scale),
        float(inside80.mean()),
        float(inside95.mean()),
    )


def naive_error(y: NDArray[np.float64], day: int) -> float:
    """Mean |y_t - y_(t - day)|, the scale of MASE; of single steps where there is no day."""
    lag = day if 0 < day < y.size else 1
    apart = np.abs(y[lag:] - y[:-lag])
    known = apart[np.isfinite(apart)]
    return float(known.mean()) if known.size else 0.0
