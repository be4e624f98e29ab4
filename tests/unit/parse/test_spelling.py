"""Slips are mended in words for reading, and in no word that changes anything."""

import pytest

from opsmith.nouns.task import Clarify, Understood
from opsmith.parse.lexicon import short_forms, spelling_words
from opsmith.parse.reader import SentenceReader
from opsmith.parse.spelling import mend

CHANGING = "restart scale drain silence delete clean rollback revert remove execute purge reboot"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("memroy", "memory"), ("latncy", "latency"), ("errorss", "errors"), ("chk", "check")],
)
def test_one_slip_in_a_word_for_reading_is_mended(typed: str, meant: str) -> None:
    assert mend(f"show {typed} of cart", frozenset()) == f"show {meant} of cart"


def test_names_are_left_as_they_are() -> None:
    assert mend("show chk and memroy", frozenset({"chk", "memroy"})) == "show chk and memroy"


def test_no_word_that_changes_anything_is_mended_to() -> None:
    words = {*spelling_words(), *" ".join(short_forms().values()).split()}

    assert not words & set(CHANGING.split())


def test_a_slip_in_a_change_is_not_carried_out(reader: SentenceReader) -> None:
    assert not isinstance(reader.read("restrat cart")[0], Understood)
    assert isinstance(reader.read("draain node-01")[0], Clarify)
