"""Times in a text: durations by their role, clock times and ranges, thresholds with their unit."""

from __future__ import annotations

import re

from opsmith.parse.lexicon import times
from opsmith.parse.numerals import CHINESE, NUMBER, value_of
from opsmith.parse.spans import Found, Reader, Tagger, pattern

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# A month is counted as 30 days, a quarter as 90 and a year as 365.
_UNIT_SECONDS: tuple[tuple[str, int], ...] = (
    (r"months?\b|mos?\b|个?半?月", 30 * 86400),
    (r"quarters? of an hour\b", 900),
    (r"quarters?\b|季度", 90 * 86400),
    (r"years?\b|yrs?\b|年", 365 * 86400),
    (r"fortnights?\b", 14 * 86400),
    (r"weeks?\b|wks?\b|w\b|个?(?:星期|礼拜)|周", 7 * 86400),
    (r"days?\b|d\b|天|日(?![志报])", 86400),
    (r"hours?\b|hrs?\b|h\b|个?(?:小时|钟头)", 3600),
    (r"minutes?\b|mins?\b|m\b|分钟?(?!之|位)", 60),
    (r"seconds?\b|secs?\b|s\b|秒钟?", 1),
)
_UNIT = "|".join(source for source, _ in _UNIT_SECONDS)
# Units that may stand alone after "last" or "最近" and then mean one.
_ALONE = r"(?:minute|hour|day|week|fortnight|month|quarter|year)\b"
_AMOUNT = rf"(?:{NUMBER}|\ban?\b)"
_PIECE = rf"{_AMOUNT} ?-?(?:more )?(?:个半|个)? ?(?:{_UNIT})(?:半)?"
_DURATION = pattern(
    rf"(?<![\w.:-])(?!50[0-4]s\b)(?:{_PIECE}(?: and a half\b)?(?:(?: ?,? ?and)? ?{_PIECE})?"
    r"|(?<!\w)half (?:an? )?(?:hour|day)\b|半个?(?:小时|钟头|天|月)|一刻钟|三刻钟"
    rf"|\d+[dhms](?:\d+[hms])+(?!\w)|an? {_ALONE}|(?:(?:an?|one) )?(?:hour|day|week) and a half)"
)
_ONE_PIECE = pattern(rf"({_AMOUNT}) ?-?(?:more )?(个半|个)? ?({_UNIT})(半)?")


def seconds_of(words: str) -> float:
    """The length in seconds of a duration in words; 0 when it holds none.

    >>> [seconds_of(words) for words in ("1h30m", "两周", "一个半小时", "an hour and a half")]
    [5400.0, 1209600.0, 5400.0, 5400.0]
    """
    text = re.sub(r"(?<=\d[dhms])(?=\d)", " ", words.lower())
    if "刻钟" in text:
        return 900.0 * (3 if text.startswith("三") else 1)
    text = re.sub(r"^(?=(?:hour|day|week) and a half)", "an ", text)
    total, last = 0.0, 0.0
    for amount, half_after, unit, trailing_half in _ONE_PIECE.findall(text):
        last = _unit_seconds(unit)
        number = value_of(amount) or 0.0
        total += last * (number + (0.5 if half_after == "个半" or trailing_half else 0.0))
    return total + (last / 2 if "and a half" in text else 0.0)


def _unit_seconds(unit: str) -> float:
    matches = (s for source, s in _UNIT_SECONDS if re.fullmatch(source, unit, re.ASCII))
    return float(next(matches, 0))


def canonical(seconds: float) -> str:
    """Write a length in the largest unit that divides it: `90m`, `2h`, `14d`.

    >>> [canonical(value) for value in (5400.0, 7200.0, 1209600.0, 45.0)]
    ['90m', '2h', '14d', '45s']
    """
    whole = round(seconds)
    unit = next(unit for unit in "dhms" if whole % _SECONDS[unit] == 0)
    return f"{whole // _SECONDS[unit]}{unit}"


def tag_durations(tagger: Tagger) -> None:
    """Tag every length of time by its role: window, horizon, age, or a plain duration."""
    words = times()
    for phrase in words.phrases:
        tagger.tag(phrase.compiled, _always(phrase.kind, phrase.value))
    tagger.tag(_SINGLE_LAST, lambda match: _length("win", f"1 {match[1]}"))
    tagger.tag(_SINGLE_NEXT, lambda match: _length("hor", f"1 {match[1]}"))
    tagger.tag(_DURATION, lambda match: _length("dur", match[0]))
    for role in words.roles:
        tagger.tag(role.compiled, _role(tagger, role.kind))


def tag_clocks(tagger: Tagger) -> None:
    """Tag clock times and ranges: value (start,) or (start, end), each HH:MM, "" for open."""
    tagger.tag(_HOURS, _read_hours)
    tagger.tag(_RANGE, _read_range)
    tagger.tag(_POINT, _read_point)


def zone_of(text: str) -> str | None:
    """The time zone that a text states, as an IANA name or an offset; None when it states none.

    >>> zone_of("at 14:30 UTC"), zone_of("北京时间 10 点"), zone_of("at 14:30")
    ('UTC', 'Asia/Shanghai', None)
    """
    for compiled, zone in _ZONES:
        match = compiled.search(text)
        if match:
            return zone or match[0]
    return None


_SINGLE = r"(?:\b(?:over|in|during|for|within|from|of|across|throughout) )?(?:\bthe )?\b"
_SINGLE_LAST = pattern(
    rf"{_SINGLE}(?:last|past|previous|prior|preceding|trailing) ({_ALONE})"
    r"(?! and a half)(?:\W?s\b)?(?! of an hour)"
)
_SINGLE_NEXT = pattern(rf"{_SINGLE}(?:next|coming|following|upcoming) ({_ALONE})(?! and a half)")
_DAY_PART = "凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|晚|夜里|半夜|今早|今晚"
_ZONE = r"(?: ?(?:UTC|GMT)(?:[+-]\d{1,2}(?::\d\d)?)?| ?Z\b)?"
_CLOCK = (
    rf"(?:(?:{_DAY_PART})? ?(?:\d{{1,2}}[:：]\d\d(?::\d\d)?|"
    rf"(?:\d{{1,2}}|{CHINESE}) ?[点时](?![间候区段])"
    rf"(?:整|半|一刻|三刻|(?:\d{{1,2}}|{CHINESE})分?)?)"
    r"(?: ?[ap]\.?m\b\.?)?|\d{1,2} ?[ap]\.?m\b\.?|\b(?:noon|midnight)\b)"
)
_EDGE = r"(?<![\w:.-])"
_RANGE = pattern(
    rf"(?:\b(?:from|between) |从|在)?{_EDGE}({_CLOCK}){_ZONE}"
    rf" ?(?:-|~|–|—|to|until|till|and|through|到|至|和|与) ?({_CLOCK}){_ZONE}(?![\w:])"
    r"(?:之间|期间|间|这段时间)?"
)
# "between 9 and 11 this morning": bare hours, where the part of the day says that they are.
_HOURS = pattern(
    r"\b(?:between|from) (\d{1,2}) (?:and|to|until|till) (\d{1,2})"
    r"(?: o\W?clock)?(?=,? (?:(?:this|yesterday|in the) )?(morning|afternoon|evening|tonight)\b)"
)
_POINT = pattern(
    r"(\b(?:since|after|from|until|till|before|by|at|around|about|near|circa) "
    r"|从|自|截至|到|大约|大概|在)?"
    rf" ?{_EDGE}({_CLOCK}){_ZONE}(?![\w:])(?:左右|前后|许|开始|以来|起|以后|之后|附近)?"
)
_ZONES: tuple[tuple[re.Pattern[str], str | None], ...] = (
    (re.compile(r"\b(?:UTC|GMT)(?![+-])\b|\d\d:\d\dZ\b"), "UTC"),
    (re.compile(r"(?<=UTC)[+-]\d\d?(?::\d\d)?|(?<=\d\d:\d\d)[+-]\d\d:\d\d\b"), None),
    (re.compile(r"北京时间|(?i:\bBeijing time\b|\bChina standard time\b)"), "Asia/Shanghai"),
    (re.compile(r"\b(?:Africa|America|Asia|Europe|Australia|Pacific)/[A-Z][A-Za-z_]+"), None),
)


def _always(kind: str, value: str) -> Reader:
    return lambda _match: Found(kind=kind, value=value)


def _length(kind: str, words: str) -> Found | None:
    seconds = seconds_of(words)
    return Found(kind=kind, value=canonical(seconds)) if seconds >= 1 else None


def _role(tagger: Tagger, kind: str) -> Reader:
    def read(match: re.Match[str]) -> Found:
        tag = next(group for group in match.groups() if group)
        return Found(kind=kind, value=tagger.span(tag).value)

    return read


def _read_hours(match: re.Match[str]) -> Found | None:
    half = "am" if match[3].lower() == "morning" else "pm"
    start, end = (clock_of(f"{hour} {half}") for hour in (match[1], match[2]))
    return Found(kind="clock", value=(start, end)) if start and end else None


def _read_range(match: re.Match[str]) -> Found | None:
    start = clock_of(match[1])
    part = re.match(_DAY_PART, match[1].strip())
    end_words = (
        match[2] if re.match(_DAY_PART, match[2].strip()) or not part else part[0] + match[2]
    )
    end = clock_of(end_words)
    meridiem = re.search(r"[ap]\.?m", match[2], re.IGNORECASE)
    if start and end and meridiem and not re.search(r"[ap]\.?m", match[1], re.IGNORECASE):
        start = clock_of(f"{match[1]} {meridiem[0]}") or start
    return Found(kind="clock", value=(start, end)) if start and end else None


def _read_point(match: re.Match[str]) -> Found | None:
    clock = clock_of(match[2])
    if not clock:
        return None
    until = (match[1] or "").strip().lower() in {"until", "till", "before", "by", "截至"}
    return Found(kind="clock", value=("", clock) if until else (clock,))


def clock_of(words: str) -> str | None:
    """Read one clock time as HH:MM, or None.

    >>> [clock_of(words) for words in ("9:05", "3 pm", "下午3点半", "凌晨两点", "noon", "25:10")]
    ['09:05', '15:00', '15:30', '02:00', '12:00', None]
    """
    text = words.strip().lower()
    if text in {"noon", "midnight"}:
        return "12:00" if text == "noon" else "00:00"
    match = _PARTS.search(text)
    hour = value_of(match[1]) if match else None
    if match is None or hour is None:
        return None
    minute = _MINUTES.get(match[2] or "", value_of((match[2] or "0").rstrip("分")) or 0.0)
    late = bool(re.search("下午|傍晚|晚", text)) or bool(
        re.search(r"\dp|p\.?m", text.replace(" ", ""))
    )
    if late and hour < _NOON:
        hour += _NOON
    elif hour == _NOON and re.search(r"a\.?m|凌晨|半夜", text):
        hour = 0
    if hour > _LAST_HOUR or minute > _LAST_MINUTE:
        return None
    return f"{int(hour):02d}:{int(minute):02d}"


_NOON, _LAST_HOUR, _LAST_MINUTE = 12, 24, 59
_MINUTES = {"整": 0.0, "半": 30.0, "一刻": 15.0, "三刻": 45.0}
_PARTS = re.compile(
    rf"(\d{{1,2}}|{CHINESE})(?:[:：点时] ?(整|半|一刻|三刻|(?:\d{{1,2}}|{CHINESE})分?)?)?"
)
