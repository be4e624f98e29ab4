"""Lexers: numbers, lengths of time, clock times, thresholds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.parse.numerals import value_of
from opsmith.parse.spans import Tagger
from opsmith.parse.thresholds import tag_thresholds
from opsmith.parse.times import canonical, clock_of, seconds_of, tag_clocks, tag_durations, zone_of


def spans_of(text: str) -> list[tuple[str, object]]:
    tagger = Tagger(text)
    tag_clocks(tagger)
    tag_thresholds(tagger)
    tag_durations(tagger)
    return [(span.kind, span.value) for span in tagger.within(tagger.text)]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("7", 7),
        ("1,200", 1200),
        ("twelve", 12),
        ("forty-two", 42),
        ("a dozen", 12),
        ("二十三", 23),
        ("一百零五", 105),
        ("两千", 2000),
        ("三万", 30000),
        ("半", 0.5),
        ("many", None),
    ],
)
def test_a_number_is_read_in_digits_words_and_chinese(words: str, value: float | None) -> None:
    assert value_of(words) == value


@given(st.integers(min_value=1, max_value=9999))
def test_every_chinese_numeral_reads_back(number: int) -> None:
    digits, powers = "零一二三四五六七八九", ["", "十", "百", "千"]
    written, zero = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit:
            written += ("零" if zero and written else "") + digits[digit] + powers[place]
            zero = False
        else:
            zero = True

    assert value_of(written) == number


@given(st.integers(min_value=1, max_value=10**7))
def test_a_canonical_length_reads_back(seconds: int) -> None:
    assert seconds_of(canonical(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("over the last 90 minutes", [("win", "90m")]),
        ("the past hour", [("win", "1h")]),
        ("in the next two weeks", [("hor", "14d")]),
        ("logs older than 10 days", [("age", "10d")]),
        ("for half an hour", [("dur", "30m")]),
        ("最近半小时", [("win", "30m")]),
        ("一个半小时", [("dur", "90m")]),
        ("未来三天", [("hor", "3d")]),
        ("两周前的日志", [("age", "14d")]),
        ("from 9:30 to 11:00", [("clock", ("09:30", "11:00"))]),
        ("下午3点到5点", [("clock", ("15:00", "17:00"))]),
        ("since 3 pm", [("clock", ("15:00",))]),
        ("above 85%", [("thr", ">85%")]),
        ("超过 800 毫秒", [("thr", ">800ms")]),
        ("at least 1.5k", [("thr", ">=1500")]),
        ("低于百分之二十", [("thr", "<20%")]),
        ("over 3 days", [("dur", "3d")]),
        ("yesterday", [("win", "yesterday")]),
    ],
)
def test_times_and_thresholds_are_read_by_their_role(
    text: str, spans: list[tuple[str, object]]
) -> None:
    assert spans_of(text) == spans


def test_an_hour_that_does_not_exist_is_no_clock_time() -> None:
    assert clock_of("25:61") is None


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("at 14:30 UTC", "UTC"),
        ("北京时间下午两点", "Asia/Shanghai"),
        ("at 9:00 Europe/Berlin", "Europe/Berlin"),
        ("at 9:00", None),
    ],
)
def test_a_zone_is_taken_only_when_it_is_stated(text: str, zone: str | None) -> None:
    assert zone_of(text) == zone
