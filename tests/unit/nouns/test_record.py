from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.errors import BadInput
from opsmith.nouns.record import GENESIS, Entry, check_chain, from_ms, link

AT = datetime(2026, 1, 1, tzinfo=UTC)
WORD = st.text(st.characters(exclude_categories=["Cs"]))
TEXTS = st.tuples(WORD.filter(bool), WORD, WORD, WORD, WORD)


def entry_of(texts: tuple[str, str, str, str, str]) -> Entry:
    kind, subject, body, principal, tenant = texts
    return Entry(kind=kind, subject=subject, body=body, at=AT, principal=principal, tenant=tenant)


@given(TEXTS, TEXTS)
def test_different_entries_have_different_seals(
    one: tuple[str, str, str, str, str], two: tuple[str, str, str, str, str]
) -> None:
    same = one == two

    digests = {link(entry_of(texts), seq=1, previous=GENESIS).digest for texts in (one, two)}

    assert (len(digests) == 1) == same


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_kept_to_the_millisecond(at: datetime) -> None:
    kept = from_ms(Entry(kind="k", subject="", body="", at=at).at_ms)

    assert kept == at.replace(microsecond=at.microsecond // 1000 * 1000)


def test_a_gap_names_the_record_that_is_not_there() -> None:
    first = link(entry_of(("k", "", "1", "", "")), seq=1, previous=GENESIS)
    second = link(entry_of(("k", "", "2", "", "")), seq=2, previous=first.digest)
    third = link(entry_of(("k", "", "3", "", "")), seq=3, previous=second.digest)

    assert check_chain([first, third]).broken_at == 2
    assert check_chain([first, second, third]).whole


def test_an_entry_without_a_zone_is_refused() -> None:
    with pytest.raises(BadInput):
        Entry(kind="k", subject="", body="", at=datetime(2026, 1, 1))  # noqa: DTZ001 -- the point


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadInput, match="half a character"):
        Entry(kind="k", subject="\ud800", body="", at=AT)
