"""Surprise is Good-Turing on counts; quantiles follow; half can be forgotten."""

import math
from collections import Counter

import numpy as np
import pytest

from opsmith.detect import surprise
from opsmith.detect.state import LIMIT, SLOTS, TABLES, State, fresh
from tests.builders.plainly import run_plainly


def obvious(symbols: list[int]) -> list[float]:
    """The slow twin: counts in a dictionary, masses made anew for each symbol."""
    seen: Counter[int] = Counter()
    found = []
    for n, symbol in enumerate(symbols, start=1):
        count = seen[symbol % SLOTS]
        mass = sum(j for j in seen.values() if j <= count + 1)
        found.append(1.0 if count >= LIMIT else min(1.0, (mass + 1) / (n + 1)))
        seen[symbol % SLOTS] = min(LIMIT, count + 1)
    return found


def met(symbols: np.ndarray) -> tuple[np.ndarray, State]:
    """The chances (n, TABLES) of symbols (n, TABLES) as they come, and the state after them."""
    state, marks = fresh(1), np.zeros((4, TABLES), np.int32)
    out = np.zeros((len(symbols), TABLES))
    for n, row in enumerate(symbols):
        marks[0] = row
        surprise.meet(state.counts[0], state.masses[0], marks, n + 1.0, out[n])
    return out, state


@pytest.mark.parametrize("plainly", [False, True])
def test_a_symbol_is_as_likely_as_all_that_was_as_rare(
    monkeypatch: pytest.MonkeyPatch, *, plainly: bool
) -> None:
    if plainly:
        run_plainly(monkeypatch)
    symbols = np.random.default_rng(1).geometric(0.2, size=(400, TABLES)) - 4

    found, _ = met(symbols)

    for table in (0, 3, TABLES - 1):
        shifted = [int(one) % SLOTS for one in symbols[:, table]]
        assert found[:, table] == pytest.approx(obvious(shifted))


def test_a_first_meeting_surprises_more_than_an_old_habit(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    symbols = np.zeros((201, TABLES), int)
    symbols[200, 4:8] = 9

    chances, _ = met(symbols)

    assert surprise.surprise(chances[199], 4) == 0.0
    assert surprise.surprise(chances[200], 4) > 1.0
    assert surprise.surprise(chances[200], 8) == 0.0


def test_a_value_has_four_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    marks = np.zeros((4, TABLES), np.int32)

    surprise.name(marks, 4, 0.3, -1.2)

    assert marks[0, 4:8].tolist() == [1, 1 * 37 - 2, 1, 1 * 37 - 2]


def test_forgetting_halves_every_count_and_keeps_the_masses_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    symbols = np.array([5] * 9 + [6] * 2 + [7])[:, None].repeat(TABLES, axis=1)
    _, state = met(symbols)

    surprise.halve(state.counts[0], state.masses[0])

    assert [surprise.count_of(state.counts[0], 0, slot) for slot in (5, 6, 7)] == [4, 1, 0]
    assert state.masses[0, :, 0].tolist() == [0, 1, 0, 0, 1] + [0] * 11


def test_running_quantiles_come_near_the_true_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    quantiles = np.array([-1.0, 0.0, 1.0])
    for value in np.random.default_rng(2).normal(3.0, 2.0, size=5000):
        surprise.track(quantiles, float(value), 0.01)

    assert quantiles == pytest.approx([3 - 3.29, 3.0, 3 + 3.29], abs=0.6)


def test_squashing_keeps_the_sign_and_is_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)

    assert surprise.squash(-1.0, 1.0, 2.0) == pytest.approx(-math.log(2.0))
    assert surprise.squash(1e300, 0.0, 1e-12) == pytest.approx(math.log(1e100))
