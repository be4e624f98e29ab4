"""The decomposable model equals its dense least squares, term for term."""

import numpy as np
import pytest
from made_for_forecasts import wave

from opsmith.errors import BadInput
from opsmith.forecast import decomposable, design
from opsmith.forecast.grid import regular
from opsmith.nouns.forecast import Event

PENALTY = (10.0, 1.0)


def dense(y: np.ndarray, columns: design.Columns, x: np.ndarray) -> np.ndarray:
    """Least squares with the penalty as rows of its own: slow and obvious."""
    known = np.isfinite(y)
    z = (y[known] - np.median(y[known])) / np.std(y[known])
    roots = np.diag(np.sqrt(decomposable.penalties(columns, PENALTY)))
    rows = np.vstack([x[known], roots])
    return np.linalg.lstsq(rows, np.append(z, np.zeros(len(roots))), rcond=None)[0]


def test_the_closed_form_equals_dense_least_squares_with_gaps() -> None:
    y = wave(24 * 20)
    y[[5, 77, 200]] = np.nan
    grid = regular(y, step_s=3600.0)

    model = decomposable.fit(grid, penalty=PENALTY, robust=False)

    expected = dense(y, model.columns, design.rows(model.columns, 0, y.size))
    np.testing.assert_allclose(model.coefficients, expected, atol=1e-8)


def test_an_observation_at_a_time_ends_where_a_refit_does() -> None:
    y = wave(24 * 20)
    grid = regular(y[:400], step_s=3600.0)
    model = decomposable.fit(grid, penalty=PENALTY, robust=False)
    columns = model.columns

    for value in y[400:]:
        model = decomposable.update(model, float(value))

    x = design.rows(columns, 0, y.size)
    z = (y - model.centre) / model.spread
    gram = x.T @ x + np.diag(decomposable.penalties(columns, PENALTY))
    np.testing.assert_allclose(model.coefficients, np.linalg.solve(gram, x.T @ z), atol=1e-8)


def test_a_gap_only_moves_time_on() -> None:
    model = decomposable.fit(regular(wave(240), step_s=3600.0))

    after = decomposable.update(model, np.nan)

    assert after.seen == model.seen + 1
    assert after.coefficients is model.coefficients


def test_one_origin_of_the_back_test_equals_a_fit_of_its_own() -> None:
    y = wave(24 * 20)
    grid = regular(y, step_s=3600.0)

    every = decomposable.at_origins(grid, np.array([y.size]), 24)

    alone = decomposable.predict(decomposable.fit(grid, penalty=(10.0, 1.0)), 24)[0]
    np.testing.assert_allclose(every[1, 0], alone, atol=0.02 * np.std(y))


def test_outliers_hardly_move_a_robust_fit() -> None:
    y = wave(24 * 20)
    spoiled = y.copy()
    spoiled[::50] = 1000.0
    grid, bad = regular(y, step_s=3600.0), regular(spoiled, step_s=3600.0)

    clean = decomposable.predict(decomposable.fit(grid), 24)[0]
    robust = decomposable.predict(decomposable.fit(bad), 24)[0]
    plain = decomposable.predict(decomposable.fit(bad, robust=False), 24)[0]

    assert np.abs(robust - clean).mean() < 0.3 * np.abs(plain - clean).mean()


def test_parts_add_up_to_the_mean() -> None:
    model = decomposable.fit(regular(wave(24 * 20), step_s=3600.0))

    parts = decomposable.parts(model, 30)

    assert {"trend", "day", "week", "carry"} == set(parts)
    np.testing.assert_allclose(sum(parts.values()), decomposable.predict(model, 30)[0])


def test_an_event_is_learned_and_expected_again() -> None:
    y = wave(240)
    grid = regular(y, step_s=3600.0)
    event = Event(name="sale", windows_s=((36_000.0, 72_000.0), (240 * 3600.0, 246 * 3600.0)))
    times = np.append(grid.times_s(), grid.future_s(12))
    on = design.event_columns((event,), times)
    raised = regular(y + 5 * on[:240, 0], step_s=3600.0)

    model = decomposable.fit(raised, extra=on[:240], names=("sale",))
    sale = decomposable.parts(model, 12, on[240:])["sale"]

    assert (sale[:6] > 3.0).all()  # seen once, so held back by its penalty
    assert sale[6:].tolist() == [0.0] * 6
    updated = decomposable.update(model, 10.0, on[240])
    assert updated.seen == 241


def test_a_cap_is_never_passed() -> None:
    y = np.clip(0.2 + 0.003 * np.arange(240) + 0.01 * np.sin(np.arange(240)), 0, 1)
    grid = regular(y, step_s=3600.0)

    mean, deviation = decomposable.predict(decomposable.fit(grid, cap=1.0), 500)

    assert mean.max() <= 1.0
    assert (deviation >= 0).all()
    with pytest.raises(BadInput):
        decomposable.fit(grid, cap=0.5)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadInput):
        design.event_columns((Event(name="x", windows_s=((5.0, 1.0),)),), np.arange(3.0))


def test_a_week_needs_ten_days_and_harmonics_stay_below_nyquist() -> None:
    short = design.columns_for(regular(wave(24 * 9), step_s=3600.0))
    daily = design.columns_for(regular(np.arange(90.0), step_s=86_400.0))

    assert short.names == ("trend", "day")
    assert dict(zip(daily.names, daily.sizes, strict=True)) == {"trend": 24, "week": 6}
    assert design.rows(daily, 0, 90).shape == (90, 30)
