"""Sketches keep their stated errors."""

import math

import pytest

from opsmith.ingest.distinct import Bloom, Distinct, stable_hash


def counted(number: int, salt: str) -> float:
    sketch = Distinct()
    for value in range(number):
        sketch.add(stable_hash(f"{salt}-{value}"))
    return sketch.count()


@pytest.mark.parametrize("number", [1, 10, 100, 1_000, 10_000, 20_000])
def test_the_number_of_values_is_within_its_error(number: int) -> None:
    errors = [counted(number, f"{salt}") / number - 1 for salt in range(5)]

    assert sum(error**2 for error in errors) / 5 <= (2 * Distinct.ERROR) ** 2


def test_nothing_counts_nothing_and_a_repeat_counts_once() -> None:
    sketch = Distinct()
    assert sketch.count() == 0.0

    for _ in range(1000):
        sketch.add(stable_hash("again"))

    assert round(sketch.count()) == 1


def test_a_full_sketch_still_answers() -> None:
    sketch = Distinct()
    for row in range(4096):
        sketch.add(row << 52)

    assert sketch.count() == math.inf


def test_a_filter_forgets_nothing_and_errs_as_seldom_as_it_says() -> None:
    bloom = Bloom(most=128, error=0.01)
    for value in range(128):
        bloom.add(stable_hash(f"in-{value}"))

    assert all(stable_hash(f"in-{value}") in bloom for value in range(128))
    assert sum(stable_hash(f"out-{value}") in bloom for value in range(20_000)) < 0.02 * 20_000


def test_the_hash_of_a_value_stays_the_same_and_takes_any_text() -> None:
    assert stable_hash("cart") == 0xC200930B493AE896
    assert stable_hash("\ud800") != stable_hash("cart")
