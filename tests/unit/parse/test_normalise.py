"""Normalising: one plain form, and what had to be undone for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.parse.normalise import LONGEST_INPUT, normalise
from opsmith.parse.reader import SentenceReader


def test_full_width_letters_become_plain() -> None:
    assert normalise("ｓｃａｌｅ　ｃａｒｔ，６").text == "scale cart,6"


def test_a_cyrillic_letter_in_a_latin_word_is_undone_and_told() -> None:
    plain = normalise("restаrt cart")

    assert (plain.text, plain.folded) == ("restart cart", True)


def test_a_hidden_character_inside_a_word_is_taken_out_and_told() -> None:
    plain = normalise("re\u200bstart cart")

    assert (plain.text, plain.hidden) == ("restart cart", True)


def test_a_mark_left_over_by_pasting_is_taken_out_silently() -> None:
    plain = normalise("\ufeffrestart cart\u200b")

    assert (plain.text, plain.hidden) == ("restart cart", False)


def test_a_russian_sentence_stays_russian() -> None:
    assert normalise("перезапусти корзину").text == "перезапусти корзину"


@pytest.mark.parametrize(
    "text", ["\x00\x01PNG", "\udc80abc", "x" * 5_000, "x" * (LONGEST_INPUT + 1)]
)
def test_what_cannot_be_read_has_a_fault(text: str) -> None:
    assert normalise(text).fault


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)

    assert once.fault or normalise(once.text).text == once.text


@pytest.mark.parametrize(
    "text",
    [
        "1" * 3_990,
        "restart cart " * 300,
        "的" * 3_990,
        "if " * 1_300,
        '"' * 3_990,
        "网关、" * 1_300,
    ],
    ids=["digits", "requests", "particles", "conditions", "quotes", "names"],
)
def test_whatever_is_typed_over_and_over_is_read(text: str, reader: SentenceReader) -> None:
    reader.read(text)
