"""One point of one series: from a value to two scores and a verdict, in one compiled pass."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsmith.detect.days import CHANNELS, follow_days
from opsmith.detect.predict import (
    FEWEST,
    Trees,
    follow,
    foresee,
    keep_residual,
    predictive_error,
    residual_t,
    t_quantile,
)
from opsmith.detect.state import (
    ALARM_LEVEL,
    ALARM_OPEN,
    ALARM_SCALE,
    ALARM_SEEN,
    ASTRAY,
    BAR,
    BAR_TIME,
    DAY_START,
    FIRST_TIME,
    IS_COUNTER,
    LAST_TIME,
    ORIGIN,
    PERSISTENCE,
    PREDICTED,
    RAW,
    RAW_TIME,
    RESIDUAL_COUNT,
    RESIDUAL_SUM,
    SCORED,
    SEEN,
    SHIFT,
    SHORT,
    SINCE,
    SLOW,
    SPAN,
    STEP,
    STRICTNESS,
    UNUSUAL,
    VIEWS,
    WINDOW,
    Bytes,
    Floats,
    Marks,
    Singles,
    State,
)
from opsmith.detect.surprise import halve, meet, name, surprise, track
from opsmith.detect.views import (
    CHANGE,
    LEVEL,
    PERSIST,
    RESIDUAL,
    REST,
    SEASON,
    SPREAD,
    TREND,
    VALUE,
    look,
    moved,
    season_gap,
    settle,
    squash_views,
)
from opsmith.detect.window import mean_of, median_of, push, recent, variance_of
from opsmith.numerics.compiled import kernel

# What a point came to.
QUIET, WARMING, ALARM, OUTAGE, HELD, CALM, NEW_NORMAL, GAP, LATE = range(9)

# Columns of an answer; then VIEWS surprises and the deviations of the slow channels.
CODE, POINT, SCORE, THRESHOLD, PREDICTION, LOW, HIGH, MEASURED = range(8)
FIRST_SURPRISE = 8
FIRST_SLOW = FIRST_SURPRISE + VIEWS
ANSWER = FIRST_SLOW + CHANNELS

# Columns of a sample: Unix seconds, value, and a forecast's band (NaN for none).
TIME, MEASURE, BAND_LOW, BAND_HIGH = range(4)

# Surprises count with n + 1000 points of history: early novelty is cheap, so it pays little.
PRIOR = 1000.0
# Nothing is paged before so many points and so many seconds.
WARM_POINTS = 96.0
WARM_S = 3600.0
# An outage while warming: so many deviations, so many points in a row, after so many points.
OUTAGE_SIGMAS = 20.0
OUTAGE_POINTS = 3.0
OUTAGE_AFTER = 8.0
# Values beyond are cut: their squares must stay finite.
LARGEST = 1e100
# Counts are halved after so many points: 45 days of minutes.
HALVE_EVERY = 65536.0
# The scales' step: a few per cent at first, then one in 2,000 points.
FIRST_RATE, LEAST_RATE = 6.0, 1.0 / 2000.0
# A gap of so many steps breaks the change view.
GAP_STEPS = 5.0
# A day 2.5 deviations above all earlier ones is an alarm at the shipped threshold of 0.45.
SLOW_SHARE = 0.18
# During the cool-down a worse fault is told again: one worse by a tenth.
WORSE = 1.1


class Rules(NamedTuple):
    """What is the same for all series.

    knobs: (3,) threshold of the alarm score; cool-down in seconds; normal quantile of the
    interval.
    trees: the one-step model, may be empty. scratch: (INPUTS + 2 VIEWS,), marks: (4, TABLES),
    chances: (TABLES,), any content.
    """

    knobs: Floats
    trees: Trees
    scratch: Floats
    marks: Marks
    chances: Floats


@kernel
def run(
    state: State, rules: Rules, rows: NDArray[np.int64], samples: Floats, answers: Floats
) -> None:
    """Take samples in order: samples[k] (4,) belongs to series rows[k]; answers: (k, ANSWER)."""
    for k in range(len(rows)):
        step(state, rules, rows[k], samples[k], answers[k])


@kernel
def step(state: State, rules: Rules, i: int, sample: Floats, answer: Floats) -> None:
    """One sample (4,) of series i; answer: (ANSWER,), filled in."""
    scalars = state.scalars[i]
    answer[:] = 0.0
    value, gap = admit(scalars, sample, answer)
    if answer[CODE] != QUIET:
        return
    ring, order, quantiles = state.ring[i], state.order[i], state.quantiles[i]
    t = expect(scalars, rules, value, answer)
    if scalars[SEEN] > 0.0:
        keep_residual(scalars, state.residuals[i], value - scalars[PREDICTED])
    change = 0.0 if gap else moved(scalars, value)
    unusual(scalars, ring, order, value)
    follow(scalars, value)
    push(scalars, ring, order, value)
    foresee(scalars, ring, order, rules.trees, rules.scratch)
    if scalars[SEEN] < SHORT:
        answer[CODE] = warming_code(scalars)
        return
    views = rules.scratch[-VIEWS:]
    views[CHANGE] = change
    views[RESIDUAL] = t
    slow = compare_with_past(state, i, sample[TIME], views, answer[FIRST_SLOW:])
    if scalars[SEEN] == WINDOW:
        settle(scalars, ring, quantiles)
    elif scalars[SEEN] > WINDOW:
        weigh(state, rules, i, views, answer)
        answer[SCORE] = max(answer[SCORE], min(1.0, SLOW_SHARE * slow))
    decide(scalars, rules, quantiles, state.days[i], sample, answer)


@kernel
def weigh(state: State, rules: Rules, i: int, views: Floats, answer: Floats) -> None:
    """Look through every view; write surprises and scores; the scales learn."""
    scalars, quantiles = state.scalars[i], state.quantiles[i]
    squashed = rules.scratch[-2 * VIEWS : -VIEWS]
    look(scalars, state.ring[i], quantiles, views)
    squash_views(scalars, quantiles, views, squashed)
    learn_scales(scalars, quantiles, views)
    score(state, rules, i, squashed, answer)
    blend(scalars, answer)


@kernel
def compare_with_past(state: State, i: int, time_s: float, views: Floats, slow: Floats) -> float:
    """Fill in the season view and the slow channels; the deviations of the strangest of them."""
    scalars = state.scalars[i]
    level = recent(state.ring[i], int(scalars[SEEN]), SHORT)[0]
    gap = season_gap(scalars, state.day[i], state.week[i], time_s, level)
    views[SEASON] = gap
    return follow_days(scalars, state.days[i], time_s, gap, views[CHANGE], slow)


@kernel
def admit(scalars: Floats, sample: Floats, answer: Floats) -> tuple[float, bool]:
    """The value to look at and whether a gap precedes it; sets the code of what is left out."""
    time_s, value = sample[TIME], sample[MEASURE]
    if not time_s > scalars[LAST_TIME] or time_s == np.inf:
        answer[CODE] = LATE
        return 0.0, False
    if not math.isfinite(value):
        answer[CODE] = GAP
        return 0.0, False
    value = max(-LARGEST, min(LARGEST, value))
    if scalars[IS_COUNTER] > 0.0:
        value = rate(scalars, time_s, value)
    since = time_s - scalars[LAST_TIME]
    scalars[LAST_TIME] = time_s
    if math.isnan(value):
        answer[CODE] = GAP
        return 0.0, False
    answer[MEASURED] = value
    if scalars[SEEN] == 0.0:
        scalars[FIRST_TIME] = time_s
        scalars[DAY_START] = time_s
        scalars[ORIGIN] = value
        return value, True
    step_s = scalars[STEP] if scalars[STEP] > 0.0 else since
    scalars[SINCE] = min(since, 2.0 * step_s)
    scalars[STEP] = step_s + 0.05 * (scalars[SINCE] - step_s)
    return value, since > GAP_STEPS * step_s


@kernel
def rate(scalars: Floats, time_s: float, raw: float) -> float:
    """Increase a second since the last raw value; NaN the first time. A fall is a reset to 0.

    What was counted before a reset is lost, so the value after it is only the least that the
    increase can have been: it is looked at when even that is more than was foreseen.
    Source: Prometheus, function `rate`, treatment of counter resets.
    """
    before, before_s = scalars[RAW], scalars[RAW_TIME]
    scalars[RAW] = raw
    scalars[RAW_TIME] = time_s
    if math.isnan(before):
        return np.nan
    if raw >= before:
        return float((raw - before) / (time_s - before_s))
    least = raw / (time_s - before_s)
    return least if least > scalars[PREDICTED] else np.nan


@kernel
def expect(scalars: Floats, rules: Rules, value: float, answer: Floats) -> float:
    """Write prediction and interval into the answer; the residual in Student-t errors."""
    answer[PREDICTION] = scalars[PREDICTED]
    if scalars[RESIDUAL_COUNT] < FEWEST:
        answer[LOW] = -np.inf
        answer[HIGH] = np.inf
        return 0.0
    wide = t_quantile(rules.knobs[2], scalars[RESIDUAL_COUNT] - 1.0)
    middle = scalars[PREDICTED] + scalars[RESIDUAL_SUM] / scalars[RESIDUAL_COUNT]
    error = predictive_error(scalars)
    answer[LOW] = middle - wide * error
    answer[HIGH] = middle + wide * error
    return residual_t(scalars, value - scalars[PREDICTED])


@kernel
def unusual(scalars: Floats, ring: Floats, order: Bytes, value: float) -> None:
    """Count points in a row that lie 20 deviations from all before, for outages while warming."""
    if scalars[SEEN] < OUTAGE_AFTER or not is_warming(scalars):
        scalars[UNUSUAL] = 0.0
        return
    centre = median_of(scalars, ring, order)
    if centre == 0.0 and scalars[UNUSUAL] == 0.0:  # a series at rest has no yardstick yet
        return
    sigma = max(math.sqrt(variance_of(scalars)), 0.01 * abs(centre), scalars[SPAN], 1e-12)
    if scalars[UNUSUAL] > 0.0:  # the window already holds the outage: judge by the first point's
        sigma, centre = scalars[ALARM_SCALE], scalars[ALARM_LEVEL]
    if abs(value - centre) >= OUTAGE_SIGMAS * sigma:
        if scalars[UNUSUAL] == 0.0:
            scalars[ALARM_SCALE] = sigma
            scalars[ALARM_LEVEL] = centre
        scalars[UNUSUAL] += 1.0
    else:
        scalars[UNUSUAL] = 0.0


@kernel
def is_warming(scalars: Floats) -> bool:
    """Whether the series is too young to be paged on."""
    young = scalars[LAST_TIME] - scalars[FIRST_TIME] < WARM_S
    return bool(scalars[SEEN] < WARM_POINTS or young)


@kernel
def warming_code(scalars: Floats) -> int:
    """WARMING, or OUTAGE at the third unusual point in a row."""
    return OUTAGE if scalars[UNUSUAL] == OUTAGE_POINTS else WARMING


@kernel
def learn_scales(scalars: Floats, quantiles: Floats, views: Floats) -> None:
    """Let each view's quantiles follow, ever more slowly."""
    pace = max(LEAST_RATE, FIRST_RATE / (scalars[SCORED] + WINDOW))
    for view in range(9):
        if view not in (REST, RESIDUAL):
            track(quantiles[view], views[view], pace)


@kernel
def score(state: State, rules: Rules, i: int, squashed: Floats, answer: Floats) -> None:
    """Each view's surprise, alone and in its context; the tables then know the point."""
    scalars, counts, masses = state.scalars[i], state.counts[i], state.masses[i]
    past, before = state.past[i], state.before[i]
    slot = int(scalars[SEEN]) % SHORT
    scalars[SCORED] += 1.0
    scored = scalars[SCORED]
    for view in range(9):
        beside = context(view, squashed, past, before, slot)
        name(rules.marks, 4 * view, squashed[view], beside)
    meet(counts, masses, rules.marks, scored, rules.chances)
    for view in range(9):
        answer[FIRST_SURPRISE + view] = surprise(rules.chances, 4 * view)
    past[0, slot] = squashed[LEVEL]
    past[1, slot] = squashed[SEASON]
    before[0] = squashed[VALUE]
    if scored >= HALVE_EVERY:
        halve(counts, masses)
        scalars[SCORED] = scored / 2.0


@kernel
def context(view: int, squashed: Floats, past: Singles, before: Floats, slot: int) -> float:
    """What a view is seen together with.

    The value with the one before, level and season with themselves 12 points ago, spread and
    persistence with the level, change and residual with the value, trend with persistence,
    rest with nothing.
    """
    beside = 0.0
    if view == VALUE:
        beside = before[0]
    elif view == LEVEL:
        beside = float(past[0, slot])
    elif view == SEASON:
        beside = float(past[1, slot])
    elif view in (SPREAD, PERSIST):
        beside = squashed[LEVEL]
    elif view in (CHANGE, RESIDUAL):
        beside = squashed[VALUE]
    elif view == TREND:
        beside = squashed[PERSIST]
    return beside


@kernel
def blend(scalars: Floats, answer: Floats) -> None:
    """From nine surprises to two scores between 0 and 1.

    POINT, their mean: ranks points. SCORE, their power mean of 2.5, between mean and maximum:
    an alarm may be seen by few views only; the residual ranks points and raises no alarm, since
    noise fills its view fastest. Both as a share of the largest surprise possible.
    """
    total, power = 0.0, 0.0
    for view in range(9):
        one = answer[FIRST_SURPRISE + view]
        total += one
        if view != RESIDUAL:
            power += one * one * math.sqrt(one)
    most = math.log10(scalars[SCORED] + PRIOR)
    answer[POINT] = total / VIEWS / most
    answer[SCORE] = (power / (VIEWS - 1)) ** 0.4 / most
    scalars[PERSISTENCE] += (total / VIEWS - scalars[PERSISTENCE]) / 30.0


@kernel
def decide(
    scalars: Floats, rules: Rules, quantiles: Floats, days: Singles, sample: Floats, answer: Floats
) -> None:
    """Set the code: an alarm when the score is over the threshold and the cool-down's bar."""
    answer[THRESHOLD] = (
        rules.knobs[0] * scalars[STRICTNESS] * trust(sample, answer[MEASURED], quantiles)
    )
    if is_warming(scalars):
        answer[CODE] = warming_code(scalars)
        return
    if sample[TIME] - scalars[BAR_TIME] > rules.knobs[1]:
        scalars[BAR] = 0.0
    if answer[SCORE] >= answer[THRESHOLD]:
        answer[CODE] = ALARM if answer[SCORE] > WORSE * scalars[BAR] else HELD
    if answer[CODE] == ALARM:
        raise_bar(scalars, quantiles, sample[TIME], answer[SCORE])
    elif scalars[ALARM_OPEN] > 0.0:
        answer[CODE] = ending(scalars, quantiles, days, int(answer[CODE]))


@kernel
def raise_bar(scalars: Floats, quantiles: Floats, time_s: float, alarm: float) -> None:
    """Open an alarm, or raise the bar of an open one."""
    scalars[BAR] = alarm
    scalars[BAR_TIME] = time_s
    if scalars[ALARM_OPEN] == 0.0:
        scalars[ALARM_LEVEL] = scalars[ORIGIN] + scalars[SLOW]
        scalars[ALARM_SCALE] = quantiles[VALUE, 2] - quantiles[VALUE, 0]
    scalars[ALARM_OPEN] = 1.0
    scalars[ALARM_SEEN] = scalars[SEEN]


@kernel
def ending(scalars: Floats, quantiles: Floats, days: Singles, code: int) -> int:
    """What becomes of an open alarm: it ends once the window is past it and unsurprising.

    NEW_NORMAL when the window then stands farther from the old level than the usual range is
    wide; CALM when nothing is over the threshold any more; else the code as it is.
    """
    past_it = scalars[SEEN] - scalars[ALARM_SEEN] >= WINDOW
    odd = math.log(scalars[PERSISTENCE] + 0.02) > quantiles[PERSIST, 1]
    if not past_it or odd:
        return code
    moved_by = mean_of(scalars) - scalars[ALARM_LEVEL]
    if abs(moved_by) > scalars[ALARM_SCALE]:
        scalars[ALARM_OPEN] = 0.0
        rebase(scalars, days, moved_by)
        return NEW_NORMAL
    if code != QUIET:
        return code
    scalars[ALARM_OPEN] = 0.0
    return CALM


@kernel
def rebase(scalars: Floats, days: Singles, moved_by: float) -> None:
    """Take the patterns of day and week along to a new normal, and begin the day anew."""
    scalars[ORIGIN] += moved_by
    scalars[SLOW] -= moved_by
    scalars[SHIFT] = 0.0
    scalars[ASTRAY] = 0.0
    days[:, 0] = 0.0


@kernel
def trust(sample: Floats, value: float, quantiles: Floats) -> float:
    """How a forecast's band moves the threshold: 1 without one.

    Inside a band that is narrow beside the series' own range the threshold rises by up to a
    half, outside it falls by up to a quarter; a band as wide as the range says nothing.
    """
    low, high = sample[BAND_LOW], sample[BAND_HIGH]
    if not high >= low:
        return 1.0
    span = quantiles[VALUE, 2] - quantiles[VALUE, 0]
    sure = max(0.0, 1.0 - (high - low) / max(span, 1e-300))
    return float(1.0 + 0.5 * sure if low <= value <= high else 1.0 - 0.25 * sure)
