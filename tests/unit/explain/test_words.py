import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.explain.words import (
    chance_word,
    clean,
    counted,
    figure,
    joined,
    offset,
    percent,
    sentence,
    span,
)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.84, "seconds", "840 ms"),
        (0.000012, "seconds", "12 µs"),
        (1.94, "s", "1.94 s"),
        (-200.0, "seconds", "−3 min 20 s"),
        (0.0, "seconds", "0 s"),
        (0.123, "ratio", "12.3 %"),
        (1536.0, "bytes", "1.5 KiB"),
        (3e9, "bytes_per_second", "2.79 GiB/s"),
        (31.0, "per_second", "31/s"),
        (1234567.0, "count", "1,234,567"),
        (0.00001, "", "1.00e-05"),
        (math.nan, "ratio", "no value"),
        (2.5, "ms", "2.5 ms"),
        (2.0**70, "bytes", "1,048,576 PiB"),
    ],
)
def test_a_figure_is_written_with_its_unit(value: float, unit: str, said: str) -> None:
    assert figure(value, unit) == said


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "seconds", "bytes"]))
def test_every_finite_figure_can_be_written(value: float, unit: str) -> None:
    assert figure(value, unit)


@given(st.floats(0, 1))
def test_certainty_is_claimed_only_when_it_is_exact(chance: float) -> None:
    assert (percent(chance) == "100 %") == (chance == 1)
    assert (percent(chance) == "0 %") == (chance == 0)


def test_a_higher_chance_never_gets_a_weaker_word() -> None:
    words = [chance_word(step / 100) for step in range(101)]

    assert list(dict.fromkeys(words)) == ["uncertain", "likely", "very likely", "almost certain"]


def test_times_are_written_in_their_two_largest_units() -> None:
    assert span(93784) == "1 d 2 h"
    assert span(0) == "0 s"
    assert offset(-125) == "−2 min 5 s"
    assert offset(0.2) == "0 s"
    assert offset(40) == "+40 s"


def test_lists_and_counts_read_as_language() -> None:
    assert joined(()) == ""
    assert joined(("a", "b", "c")) == "a, b and c"
    assert counted(1, "alert") == "1 alert"
    assert sentence(" no logs ") == "no logs."
    assert sentence("why?") == "why?"


def test_a_long_text_is_cut_and_a_secret_in_it_is_gone_before_the_cut() -> None:
    text = "x" * 390 + " password=hunter2"

    assert len(clean(text)) == 400
    assert "hunter" not in clean(text)
    assert clean("\U000e0001") == r"\U000e0001"
