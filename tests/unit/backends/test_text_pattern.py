"""Patterns for answers of strangers: what they cost is known before they are used."""

import pytest

from opsmith.backends.reach.text_pattern import compiled, found_in
from opsmith.errors import BadInput


@pytest.mark.parametrize(
    "pattern",
    [
        r"version [0-9.]+ ready",
        r"a*b",
        r"a{2,}",
        r"(?:ok|fine)",
        r"[]a]*",
        r"\[ok\] .+",
        r"\*\*\**",
        r"x{0,20}y{,20}",
    ],
)
def test_a_pattern_of_bounded_cost_is_taken(pattern: str) -> None:
    assert compiled(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(a+)+b", "repeats a group"),
        (r"(a|a)*b", "repeats a group"),
        (r"a*a*b", "too many ways"),
        (r"x{0,100}y{0,20}", "too many ways"),
        (r"x{,99}y{,99}", "too many ways"),
        (r"x{0,99999999}", "too many ways"),
        (r"(?=a)", "look around"),
        (r"(a)\1", "reference"),
        (r"(?P<n>a)", "look around"),
        ("a" * 201, "at most 200"),
        ("[", "no regular expression"),
    ],
)
def test_a_pattern_that_could_cost_more_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        compiled(pattern)


def test_the_worst_text_for_the_worst_pattern_ends() -> None:
    assert not found_in(compiled("a*b"), "\n".join(["a" * 1000] * 65))


def test_a_line_is_found_among_others_and_only_its_beginning_is_searched() -> None:
    assert found_in(compiled(r"^ready$"), "starting\nready\nidle")
    assert not found_in(compiled("ready"), "x" * 1000 + "ready")
