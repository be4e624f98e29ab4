"""Surprise is Good-Turing on counts; quantiles follow; half can be forgotten."""

import math
from collections import Counter

import numpy as np
import pytest

from opsmith.detect import surprise
from opsmith.detect.state import LIMIT, SLOTS, fresh
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


@pytest.mark.parametrize("plainly", [False, True])
def test_a_symbol_is_as_likely_as_all_that_was_as_rare(
    monkeypatch: pytest.MonkeyPatch, *, plainly: bool
) -> None:
    if plainly:
        run_plainly(monkeypatch)
    symbols = np.random.default_rng(1).geometric(0.2, size=400).tolist()
    state = fresh(1)

    found = [
        surprise.meet(state.counts[0], state.masses[0], 3, float(n), symbol)
        for n, symbol in enumerate(symbols, start=1)
    ]

    assert found == pytest.approx(obvious(symbols))


def test_a_first_meeting_surprises_more_than_an_old_habit(monkeypatch: pytest.MonkeyPatch) -> None:
    run_plainly(monkeypatch)
    state = fresh(1)
    for n in range(200):
        usual = surprise.surprise(state.counts[0], state.masses[0], 0, 0.1, 0.1, n + 1.0)

    odd = surprise.surprise(state.counts[0], state.masses[0], 0, 4.0, 0.1, 201.0)

    assert usual == 0.0
    assert odd > 1.0


def test_forgetting_halves_every_count_and_keeps_the_masses_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_plainly(monkeypatch)
    state = fresh(1)
    for n, symbol in enumerate([5] * 9 + [6] * 2 + [7]):
        surprise.meet(state.counts[0], state.masses[0], 0, float(n), symbol)

    surprise.halve(state.counts[0], state.masses[0])

    assert [surprise.count_of(state.counts[0], 0, slot) for slot in (5, 6, 7)] == [4, 1, 0]
    assert state.masses[0, 0].tolist() == [0, 1, 0, 0, 1] + [0] * 11


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
