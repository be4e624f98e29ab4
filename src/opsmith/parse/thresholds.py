"""Thresholds in a text: a comparator, a number and a unit -> `>85%`, `<=200ms`, `>5000`."""

from __future__ import annotations

import re
from functools import cache

from opsmith.parse.lexicon import thresholds
from opsmith.parse.numerals import NUMBER, plain, value_of
from opsmith.parse.spans import Found, Reader, Tagger, pattern

_UNITS = (
    (r"%|percent\b|per cent\b|个百分点", "%"),
    (r"成(?!功)", "tenths"),
    (r"ms\b|msecs?\b|milliseconds?\b|毫秒", "ms"),
    (r"[kmgt]i?b(?:/s|ps)?\b", None),
    (r"gigs?\b|gigabytes?\b", "GB"),
    (r"megabytes?\b", "MB"),
    (r"s\b|secs?\b|seconds?\b|秒钟?", "s"),
)
_UNIT = "|".join(source for source, _ in _UNITS)
_NUMBER = rf"(?:百分之{NUMBER}|{NUMBER}(?: ?[万kK](?![a-zA-Z]))?)"


def tag_thresholds(tagger: Tagger) -> None:
    """Tag every threshold, firm comparators first."""
    for sign, compiled in _patterns():
        tagger.tag(compiled, _reader(sign))


# A Chinese comparator needs no space after Latin letters: "QPS高于4000".
_START = r"(?:(?<!\w)|(?=[\u4e00-\u9fff]))"


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    words = thresholds()
    unless_time, other = words["after"]["time"][0], words["after"]["other_unit"][0]
    (side,) = words["after"]["side"]
    found = [
        (
            sign,
            rf"(?:[掉降跌落涨升])?{side} ?({_NUMBER})(?![\d.]*\d) ?({_UNIT})? ?{other}?{ending}",
        )
        for sign, ending in (("<", "(?:以下|之下)"), (">", "(?:以上|之上)"))
    ]
    for sign, (source,) in words["firm"].items():
        asked = rf"(?:\bto |是否|有没有|是不是)?{_START}"
        tail = rf"{unless_time}(?: ?(?!connections?){other}\b)?(?:以上|以下)?"
        found.append((sign, rf"{asked}{source} ?({_NUMBER})(?![\d.]*\d) ?({_UNIT})?{tail}"))
    for sign, (source,) in words["loose"].items():
        found.append((sign, rf"{_START}{source} ?({_NUMBER})(?![\d.]*\d) ?({_UNIT}){unless_time}"))
        found.append((sign, rf"{_START}{source} ?(百分之{NUMBER})()"))
        found.append((sign, rf"{_START}{source} ?({_NUMBER})()(?= ?(?:qps|rps|tps)\b)"))
    after = words["after"]["goes_on"][0]
    for sign, bare in ((">", words["after"]["bare"][0]), ("<", words["after"]["bare_low"][0])):
        found.append((sign, rf"{_START}{bare} ?({_NUMBER})()(?= ?(?:$|[,.?!;。]|{after}))"))
    found.append((">", rf"比 ?({_NUMBER})(?![\d.]*\d) ?({_UNIT})? ?(?:更|还|要)?[高大多长]"))
    found.append(("<", rf"比 ?({_NUMBER})(?![\d.]*\d) ?({_UNIT})? ?(?:更|还|要)?[低小少短]"))
    any_number = rf"(?<!\w)({_NUMBER})(?![\d.]*\d)"
    for sign, ending in (
        (">", "以上|or (?:more|higher|above)\\b"),
        ("<", "以下|or (?:less|lower|below)\\b"),
    ):
        found.append(
            (
                sign,
                rf"{any_number} ?({_UNIT}){unless_time} ?(?:{other} ?)?(?:{ending})",
            )
        )
    return tuple((sign, pattern(source)) for sign, source in found)


def _reader(sign: str) -> Reader:
    return lambda match: _found(sign, match[1], match[2] or "")


def _found(sign: str, number: str, unit: str) -> Found | None:
    percent = number.startswith("百分之")
    words = number.removeprefix("百分之").strip()
    scale = {"万": 10_000, "k": 1_000}.get(words[-1].lower(), 1)
    if scale > 1 and value_of(words[:-1]) is not None:
        words = words[:-1]
    else:
        scale = 1
    value = value_of(words)
    if value is None:
        return None
    written = "%" if percent else _unit(unit)
    if written == "tenths":
        scale, written = 10, "%"
    return Found(kind="thr", value=f"{sign}{plain(value * scale)}{written}")


def _unit(words: str) -> str:
    for source, written in _UNITS:
        if words and re.fullmatch(source.replace(r"\b", ""), words, re.IGNORECASE):
            return words if written is None else written
    return ""
