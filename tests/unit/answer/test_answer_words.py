"""Words, windows and units of answers."""

import string
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.answer.times import seconds_of, span_of, zone_of
from opsmith.answer.units import shown, threshold_of
from opsmith.answer.words import Speech, quote, words
from opsmith.errors import BadInput
from opsmith.nouns.answer import Finding, Language
from opsmith.nouns.cause import CauseKind

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def test_every_phrase_has_both_languages_with_the_same_places() -> None:
    for section, phrases in words().items():
        for name, phrase in phrases.items():
            places = [
                {f for _, f, _, _ in string.Formatter().parse(phrase[one]) if f}
                for one in Language
            ]
            assert places[0] == places[1], f"{section}.{name}"


def test_every_kind_of_cause_and_every_finding_has_words() -> None:
    assert set(words()["kinds"]) == set(CauseKind)
    assert set(words()["finding"]) == {*Finding, "failure"}


@pytest.mark.parametrize(
    ("slots", "start", "end"),
    [
        ({"window": "1h"}, "09:00", "10:00"),
        ({"window": "today"}, "00:00", "10:00"),
        ({"start": "08:00", "end": "09:30"}, "08:00", "09:30"),
        ({"start": "09:30"}, "09:30", "10:00"),
    ],
)
def test_a_window_ends_now_or_where_it_was_said(
    slots: dict[str, str], start: str, end: str
) -> None:
    span = span_of(slots, zone="UTC", now=NOW)

    assert (f"{span.start:%H:%M}", f"{span.end:%H:%M}") == (start, end)


def test_yesterday_is_the_day_before_in_the_zone() -> None:
    span = span_of({"window": "yesterday"}, zone="Asia/Shanghai", now=NOW)

    assert span.start == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert span.length == timedelta(days=1)


def test_a_clock_time_that_is_still_to_come_was_yesterday() -> None:
    assert span_of({"start": "23:00", "end": "23:30"}, zone="UTC", now=NOW).start.day == 3


def test_zones_and_lengths_that_are_none_are_refused() -> None:
    assert NOW.astimezone(zone_of("UTC+8")).hour == 18
    for bad in ("Mars/Olympus", "../etc/passwd"):
        with pytest.raises(BadInput):
            zone_of(bad)
    with pytest.raises(BadInput):
        seconds_of("1y")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        (">800ms", "seconds", 0.8),
        (">800ms", "milliseconds", 800.0),
        (">85%", "ratio", 0.85),
        (">85", "ratio", 0.85),
        (">800", "seconds", 0.8),
        (">=2GiB", "bytes", 2.0 * 2**30),
        (">5000", "count", 5000.0),
        ("<0.5", "ratio", 0.5),
    ],
)
def test_a_threshold_is_read_in_the_unit_of_the_figure(text: str, unit: str, value: float) -> None:
    assert threshold_of(text, unit).value == pytest.approx(value)


def test_a_threshold_in_another_dimension_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be compared"):
        threshold_of(">85%", "bytes")


def test_figures_read_well() -> None:
    assert shown(0.0412, "seconds") == "41.2 ms"
    assert shown(12.5, "per_second") == "12.5/s"
    assert shown(3.0, "cores") == "3 cores"
    assert Speech(language=Language.CHINESE).length(timedelta(hours=26)) == "1 天 2 小时"


def test_a_strangers_text_is_shown_without_secrets_and_escapes() -> None:
    assert quote("a\x1b[31m\nb password=hunter2") == "a\\x1b[31m b password=[redacted]"
