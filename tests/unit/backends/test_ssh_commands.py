"""A value of a command stays one word, whatever it holds."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.backends.reach.ssh_commands import Command, Slot, line
from opsmith.errors import BadInput

FREE = Command(argv=("put", "--to={where}", "{where}"), slots={"where": Slot(pattern="(?s).*")})


@given(st.text(max_size=200))
def test_a_value_is_one_word_or_refused(text: str) -> None:
    try:
        told = line(FREE.argv, FREE, [f"where={text}"])
    except BadInput:
        assert not text or not text.isprintable() or text.startswith("-")
    else:
        assert shlex.split(told) == ["put", f"--to={text}", text]


@pytest.mark.parametrize(
    "text", ["-rf", "--", "-", "a\nb", "a\0b", "a\x1b[1m", "", "x" * 1001, "a\u2028b"]
)
def test_flags_and_lines_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        line(FREE.argv, FREE, [f"where={text}"])


@pytest.mark.parametrize(
    ("slot", "good", "bad"),
    [
        (Slot(pattern="[a-z]+"), "web", "web1"),
        (Slot(choices=("info", "debug")), "debug", "Debug"),
        (Slot(low=1, high=64), "64", "65"),
        (Slot(low=1, high=64), "1", "1.0"),
        (Slot(low=1, high=64), "2", "٣"),
    ],
)
def test_a_value_fits_its_slot(slot: Slot, good: str, bad: str) -> None:
    command = Command(argv=("set", "{to}"), slots={"to": slot})

    assert line(command.argv, command, [f"to={good}"]) == f"set {good}"
    with pytest.raises(BadInput, match="to must"):
        line(command.argv, command, [f"to={bad}"])


@pytest.mark.parametrize("given_values", [[], ["where=a", "where=b"], ["there=a"], ["where"]])
def test_values_too_many_or_too_few_are_refused(given_values: list[str]) -> None:
    with pytest.raises(BadInput):
        line(FREE.argv, FREE, given_values)
