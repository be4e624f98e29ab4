"""Numbers in digits, English words and Chinese numerals."""

from __future__ import annotations

import re

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS: dict[str, float] = {
    **{word: float(value) for value, word in enumerate(_UNITS)},
    **{word: 20.0 + 10 * place for place, word in enumerate(_TENS)},
    "a single": 1,
    "single": 1,
    "a": 1,
    "an": 1,
    "half": 0.5,
    "half a": 0.5,
    "half an": 0.5,
    "a couple of": 2,
    "couple of": 2,
    "a couple": 2,
    "a dozen": 12,
    "dozen": 12,
    "hundred": 100,
    "a hundred": 100,
    "one hundred": 100,
}
_CHINESE_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "俩": 2,
    "仨": 3,
}
_CHINESE_POWERS = {"十": 10, "百": 100, "千": 1000}

_WORD = "|".join(sorted(_WORDS.keys() - {"a", "an"}, key=len, reverse=True))
_COMPOUND = rf"(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_UNITS[1:10])})"
ENGLISH = rf"\b(?:{_COMPOUND}|{_WORD})\b"
CHINESE = "[零〇一二两俩仨三四五六七八九十百千万半]+"
# A number in any of the three scripts; "a" and "an" only where the pattern around it allows.
NUMBER = rf"(?:\d+(?:,\d{{3}})*(?:\.\d+)?|{ENGLISH}|{CHINESE})"


# No count of anything that opsmith reads has more digits; a float holds them exactly.
_LONGEST = 15


def value_of(text: str) -> float | None:
    """The number that `text` writes, or None.

    >>> [value_of(word) for word in ("12", "1,500", "twenty-four", "十二", "两百五十", "一万")]
    [12.0, 1500.0, 24.0, 12.0, 250.0, 10000.0]
    """
    word = text.strip().lower().replace(",", "")
    if len(word) > _LONGEST:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", word):
        return float(word)
    if word in _WORDS:
        return _WORDS[word]
    tens, _, unit = word.replace("-", " ").partition(" ")
    if tens in _TENS and unit in _UNITS[1:10]:
        return _WORDS[tens] + _WORDS[unit]
    return _chinese(word)


def _chinese(word: str) -> float | None:
    if word == "半":
        return 0.5
    if not re.fullmatch("[零〇一二两俩仨三四五六七八九十百千万]+", word):
        return None
    head, ten_thousand, tail = word.partition("万")
    if ten_thousand:
        return _below_ten_thousand(head) * 10_000 + _below_ten_thousand(tail)
    return float(_below_ten_thousand(word))


def _below_ten_thousand(word: str) -> int:
    total, digit = 0, 0
    for sign in word:
        if sign in _CHINESE_POWERS:
            total += (digit or 1) * _CHINESE_POWERS[sign]
            digit = 0
        else:
            # Digits in a row ("二〇") are read by place, as in a year.
            digit = digit * 10 + _CHINESE_DIGITS.get(sign, 0)
    return total + digit


def plain(number: float) -> str:
    """Write a number without a needless decimal point.

    >>> plain(5.0), plain(0.5)
    ('5', '0.5')
    """
    return str(int(number)) if number == int(number) else str(number)
