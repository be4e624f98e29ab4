"""Numbers in a tagged text, tagged last: what is left after times, names and thresholds."""

from __future__ import annotations

import re

from opsmith.parse.numerals import CHINESE, ENGLISH, NUMBER, plain, value_of
from opsmith.parse.spans import Found, Tagger, pattern

_COUNTED = "个|台|副本|实例|层|跳|级|行|条|倍|份|名|位|大|次"
# 500 to 504 are answers of a server, unless something is counted by them.
_LINES = "lines?|rows?|entries|records?|messages|replicas?|pods?|instances?"
_NUMBER = pattern(
    rf"(?<![\w.%-])(?!50[0-4](?!\d| ?(?:[a-z]+ )?(?:{_LINES})\b| ?(?:行|条|个|台)))"
    r"(\d+(?:,\d{3})*(?:\.\d+)?)(?![\w%.-]*\w)"
    rf"(?: ?(?:{_COUNTED}))?"
    rf"|(?<![上前下每第同另任某这那哪])(?!一[台个](?:接着?)?一[台个])(?<!一[台个])(?<!接)({CHINESE})"
    rf"(?=(?:{_COUNTED}|pods?))"
    r"(?:个|台|名|位|大)?"
    rf"|(?<=前)({CHINESE})(?!个?(?:版|次|天|任))|(?<=[到至成为])({CHINESE})(?!\w|[\u4e00-\u9fff])"
    # "that one", "the one before" count nothing.
    r"|(?!(?<=the )one\b)(?!(?<=that )one\b)(?!(?<=this )one\b)(?!(?<=which )one\b)"
    r"(?!(?<=good )one\b)(?!(?<=old )one\b)(?!one (?:before|earlier|prior|we|that|which|after)\b)"
    rf"(?<!one by )({ENGLISH})(?! (?:by|at|of (?:the|my|our)|\w+ at a time)\b)"
)
_ALONE = pattern(
    rf"^\W*({NUMBER})(?: ?(?:个|台|副本|实例|replicas?|pods?|instances?|吧|就行|好了|即可"
    r"|please|thanks))*\W*$"
)


def tag_numbers(tagger: Tagger) -> None:
    """Tag the counts that are left."""
    tagger.tag(_ALONE, _read)
    tagger.tag(_NUMBER, _read)


def _read(match: re.Match[str]) -> Found | None:
    words = next(group for group in match.groups() if group)
    value = value_of(words)
    if value is None or value != int(value):
        return None
    # The unit of counting stays in the text: "行" and "层" say what is counted.
    rest = match[0].partition(words)[2]
    kept = rest if re.search("[层跳级行条]", rest) else ""
    return Found(kind="num", value=int(plain(value)), after=kept)
