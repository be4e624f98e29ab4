"""When a threshold is crossed, and how sure that is."""

import numpy as np
import pytest
from made_for_forecasts import series
from scipy.stats import norm

from opsmith.errors import BadInput
from opsmith.forecast.breach import chance_past, straight_line, time_to_breach
from opsmith.forecast.predict import forecast
from opsmith.forecast.words import breach_sentence, span, why
from opsmith.nouns.forecast import LEVELS, Forecast, Nature, Side, Trial


def rising(width: float = 1.0, steps: int = 100) -> Forecast:
    """A line that gains 1 a minute from 0, normal with a fixed width."""
    lead = np.arange(1.0, steps + 1)
    return Forecast(
        key="disk",
        unit="bytes",
        nature=Nature.GAUGE,
        step_s=60.0,
        history_s=60.0 * np.arange(-10.0, 1.0),
        history=np.arange(-10.0, 1.0),
        times_s=60.0 * lead,
        quantiles=lead + width * norm.ppf(LEVELS)[:, None],
        model="blend",
        chosen="decomposable",
    )


def test_the_crossing_of_a_noisy_line_is_where_the_normal_says() -> None:
    breach = time_to_breach(rising(), 50.0)

    assert breach.median_s == pytest.approx(50 * 60, rel=0.01)
    assert breach.earliest_s == pytest.approx((50 - 1.2816) * 60, rel=0.01)
    assert breach.latest_s == pytest.approx((50 + 1.2816) * 60, rel=0.01)
    assert breach.linear_s == pytest.approx(50 * 60)
    assert breach.probability > 0.97


def test_what_is_past_already_says_so() -> None:
    breach = time_to_breach(rising(), -5.0, side=Side.ABOVE)

    assert breach.already
    assert breach.median_s == 0.0
    assert "already" in breach_sentence(breach)


def test_a_threshold_below_is_crossed_downwards() -> None:
    breach = time_to_breach(rising(), -5.0)

    assert breach.side is Side.BELOW
    assert breach.median_s is None
    assert breach.linear_s is None
    assert "never gets there" in breach_sentence(breach)


def test_out_of_reach_within_the_horizon_is_none_but_the_line_goes_on() -> None:
    breach = time_to_breach(rising(), 500.0)

    assert (breach.earliest_s, breach.median_s, breach.latest_s) == (None, None, None)
    assert breach.probability < 1e-6
    assert breach.linear_s == pytest.approx(500 * 60)
    assert "will not be above 500" in breach_sentence(breach)


def test_perhaps_within_the_horizon_names_the_earliest_time_only() -> None:
    breach = time_to_breach(rising(), 101.0)

    assert breach.earliest_s is not None
    assert breach.median_s is None
    assert "may be from" in breach_sentence(breach)


def test_a_late_p90_is_after_the_horizon_and_the_first_step_may_be_it() -> None:
    late, soon = time_to_breach(rising(), 99.5), time_to_breach(rising(), 0.2)

    assert late.latest_s is None
    assert "after 1.67 h" in breach_sentence(late)
    assert soon.earliest_s == 60.0


def test_chances_follow_the_quantiles_and_their_tails() -> None:
    quantiles = norm.ppf(LEVELS)[:, None]
    flat = np.ones((11, 1))

    for z in (-3.0, -1.0, 0.0, 0.7, 3.0):
        assert chance_past(quantiles, z, Side.BELOW)[0] == pytest.approx(norm.cdf(z), abs=0.02)
    assert chance_past(flat, 0.5, Side.BELOW)[0] == 0.0
    assert chance_past(flat, 1.5, Side.ABOVE)[0] == 0.0


def test_a_flat_history_has_no_line_to_follow() -> None:
    assert straight_line(np.arange(5.0), np.ones(5), 3.0) is None


def test_a_threshold_must_be_a_number() -> None:
    with pytest.raises(BadInput):
        time_to_breach(rising(), float("nan"))


def test_a_filling_disk_is_seen_in_time() -> None:
    t = np.arange(24 * 14)
    used = 40 + 0.05 * t + 0.3 * np.sin(2 * np.pi * t / 24)
    made = forecast(series(used), horizon_s=5 * 86_400, without=frozenset({"gaussian process"}))

    breach = time_to_breach(made, 40 + 0.05 * (24 * 14 + 72))

    assert breach.median_s == pytest.approx(72 * 3600, rel=0.25)


def test_sentences_for_what_could_not_be_judged_or_has_no_rival() -> None:
    lone = Trial(name="last value", error=0.0, relative=1.0, weight=1.0, folds=3)
    blind = Trial(name="last value", error=float("nan"), relative=1.0, weight=1.0, folds=0)
    base = {name: getattr(rising(), name) for name in Forecast.__slots__}

    alone = Forecast(**{**base, "trials": (lone,), "chosen": "last value"})
    blinded = Forecast(**{**base, "trials": (blind,), "chosen": "last value"})
    beaten = Forecast(
        **{
            **base,
            "trials": (lone, Trial(name="decomposable", error=2.0, relative=9, weight=0, folds=3)),
        }
    )

    assert "Chosen: last value" in why(alone)[0]
    assert "too short" in why(blinded)[0]
    assert "within the noise of last value" in why(beaten)[0]
    assert why(rising()) == ()
    assert span(30.0) == "30 s"
