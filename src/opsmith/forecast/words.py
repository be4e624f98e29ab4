"""A forecast in words: who won, by how much, what moves the series, what was mended."""

from __future__ import annotations

import numpy as np

from opsmith.nouns.forecast import Breach, Forecast, Nature, Trial

SPOKEN = {
    "last value": "the last value carried on",
    "day before": "the same time a day earlier",
    "week before": "the same time a week earlier",
    "daily profile": "the median day of the last week",
    "autoregression": "a regression on the last values and those a day and a week ago",
    "log autoregression": "the same regression on logarithms",
    "gaussian process": "a Gaussian process",
    "decomposable": "a trend with daily and weekly patterns",
}
NATURES = {
    Nature.COUNTER: "It is a counter, so its rate per second is forecast.",
    Nature.RATIO: "It is a ratio, so the forecast stays within its bounds.",
    Nature.COUNT: "It counts things, so the forecast is whole numbers.",
    Nature.CONSTANT: "It has never changed; the forecast is that it will not.",
}
MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0


def why(forecast: Forecast) -> tuple[str, ...]:
    """Sentences, the choice first."""
    said = [_choice(forecast), _blend(forecast)]
    said.append(NATURES.get(forecast.nature, ""))
    said.append(_movement(forecast))
    return tuple(sentence for sentence in said if sentence)


def breach_sentence(breach: Breach) -> str:
    """When the threshold is crossed, for a person."""
    what = f"{breach.side} {figure(breach.threshold)}"
    if breach.already:
        return f"It is {what} already."
    within = span(breach.horizon_s)
    if breach.median_s is not None:
        early = span(breach.earliest_s or 0.0)
        late = f"{span(breach.latest_s)}" if breach.latest_s is not None else f"after {within}"
        text = f"It will be {what} in {span(breach.median_s)} (P10 {early}, P90 {late})."
    elif breach.earliest_s is not None:
        text = (
            f"It is not likely to be {what} within {within}, but may be from "
            f"{span(breach.earliest_s)} on ({breach.probability:.0%})."
        )
    else:
        text = f"It will not be {what} within {within} ({breach.probability:.0%} that it is)."
    if breach.linear_s is None:
        return f"{text} A straight line through the history never gets there."
    return f"{text} A straight line through the history gets there in {span(breach.linear_s)}."


def span(seconds: float) -> str:
    """A duration for a person.

    >>> span(90.0), span(5400.0), span(200_000.0), span(40.0)
    ('1.5 min', '1.5 h', '2.3 days', '40 s')
    """
    for unit, name in ((DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit:
            return (
                f"{seconds / unit:.3g} {name}" if unit != DAY_S else f"{seconds / unit:.1f} days"
            )
    return f"{seconds:.0f} s"


def figure(value: float) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}"


def _choice(forecast: Forecast) -> str:
    if not forecast.trials:
        return ""
    by_name = {trial.name: trial for trial in forecast.trials}
    chosen = by_name[forecast.chosen]
    if not np.isfinite(chosen.error):
        return "The history is too short for a back-test: the last value is carried on."
    best = forecast.trials[0]
    said = (
        f"Chosen: {chosen.name} ({SPOKEN[chosen.name]}); over {chosen.folds} back-tests it was "
        f"wrong by {figure(chosen.error)} on average{_against(chosen, forecast.trials)}"
    )
    if best.name != chosen.name:
        said += f", within the noise of {best.name} ({figure(best.error)})"
    return f"{said}."


def _against(chosen: Trial, trials: tuple[Trial, ...]) -> str:
    others = [trial for trial in trials if trial.name != chosen.name]
    if not others:
        return ""
    rival = others[0]
    gain = 1.0 - chosen.error / rival.error if rival.error > 0 else 0.0
    if gain <= 0:
        return ""
    return f", {gain:.0%} less than {rival.name}, the next best"


def _blend(forecast: Forecast) -> str:
    shares = [t for t in sorted(forecast.trials, key=lambda t: -t.weight) if t.weight >= 0.05]  # noqa: PLR2004 - below 5 % is not worth a word
    if forecast.model != "blend" or len(shares) < 2:  # noqa: PLR2004 - one alone is no blend
        return ""
    listed = ", ".join(f"{trial.name} {trial.weight:.0%}" for trial in shares)
    return f"The forecast blends by back-test error: {listed}."


def _movement(forecast: Forecast) -> str:
    """The trend over the horizon and the swing of each pattern."""
    said = []
    for part in forecast.parts:
        if part.name == "trend" and part.values.size > 1:
            change = float(part.values[-1] - part.values[0])
            verb = "rises" if change > 0 else "falls"
            said.append(f"the trend {verb} by {figure(abs(change))}")
        elif part.name not in ("level", "rest") and np.any(part.values != 0):
            swing = float(np.ptp(part.values)) or float(np.abs(part.values).max())
            said.append(f"the {part.name} pattern swings by {figure(swing)}")
    return f"Over the horizon {', '.join(said)}." if said else ""
