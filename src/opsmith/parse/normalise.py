"""Text as typed -> one plain form, with what had to be taken out or folded."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

# A long paragraph; an instruction is a sentence or two, and every later step is bounded by it.
LONGEST_TEXT = 4_000
# Far more than any honest request repeats before it is spam: bounds normalisation itself.
LONGEST_INPUT = 64_000

# Letters that look like a Latin letter (Unicode TR39 confusables, the Cyrillic and Greek ones that
# are whole-glyph twins in common fonts).
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁԛһӏԝьАВЕКМНОРСТУХІЈЅԌ" + "αορνικυτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "ɑɡıⅼ",
    "aeopcyxijsdqhlwbABEKMHOPCTYXIJSG" + "aopvikutABEZHIKMNOPTYX" + "agil",
)
_FOREIGN_LETTER = re.compile("[\u0370-\u03ff\u0400-\u052f\u0251\u0261\u0131\u217c]")
_WORD = re.compile(r"[\w.-]+")
# Zero-width, soft hyphen, bidi controls, variation selectors, interlinear marks and tag letters.
_HIDDEN = re.compile(
    "[\ue000-\uf8ff\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
_HAN = re.compile("[\u4e00-\u9fff]")
_LATIN = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A text in its plain form.

    hidden: characters were taken out that a reader cannot see.
    folded: letters of another alphabet were replaced by the Latin ones they imitate.
    chinese: the text holds Han characters.
    typed: the text without its hidden characters, otherwise as it came.
    fault: why the text cannot be read at all, else None.
    """

    text: str
    hidden: bool = False
    folded: bool = False
    chinese: bool = False
    fault: str | None = None
    typed: str = ""

    def verbatim(self, words: str) -> str:
        """What was typed where the plain text has `words`; `words` when that cannot be told.

        >>> normalise("找“超时，重试”").verbatim("超时,重试")
        '超时，重试'
        """
        folded = [unicodedata.normalize("NFKC", letter) for letter in self.typed]
        start = "".join(folded).find(words)
        if start < 0 or words in self.typed:
            return words
        ends = list(itertools.accumulate(map(len, folded), initial=0))
        first, last = bisect_right(ends, start) - 1, bisect_right(ends, start + len(words) - 1)
        return self.typed[first:last]


def normalise(text: str) -> Plain:
    """Fold `text` to NFKC, take hidden characters out, and undo look-alike letters.

    Unicode TR15 (NFKC), TR39 (confusables). Never raises: what cannot be read has a `fault`.

    >>> normalise("ｒｅｓｔａｒｔ　ｃａｒｔ").text
    'restart cart'
    """
    if len(text) > LONGEST_INPUT:
        return _faulty(f"The text has {len(text)} characters; the most is {LONGEST_TEXT}.")
    if _UNREADABLE.search(text):
        return _faulty("The text holds bytes that are no characters; send plain UTF-8 text.")
    shown = _HIDDEN.sub("", text)
    composed = unicodedata.normalize("NFKC", shown)
    plain = re.sub(r"[ \t\r\u00a0]+", " ", composed).strip()
    if len(plain) > LONGEST_TEXT:
        return _faulty(f"The text has {len(plain)} characters; the most is {LONGEST_TEXT}.")
    unmasked = _WORD.sub(lambda word: _unmask(word.group(), plain), plain)
    return Plain(
        text=unmasked,
        hidden=_hides_in_words(text),
        folded=unmasked != plain,
        chinese=bool(_HAN.search(unmasked)),
        typed=shown,
    )


def _faulty(reason: str) -> Plain:
    return Plain(text="", fault=reason)


def _hides_in_words(text: str) -> bool:
    """Whether a hidden character stands inside a word; at an edge it is a paste's leftover."""
    inside = re.search(rf"[A-Za-z0-9]{_HIDDEN.pattern}+[A-Za-z0-9]", text)
    return bool(inside) or bool(
        re.search("[\u202a-\u202e\u2066-\u2069\U000e0020-\U000e007f]", text)
    )


def _unmask(word: str, whole: str) -> str:
    """Fold the look-alikes of one word, if it is Latin in disguise."""
    if not _FOREIGN_LETTER.search(word):
        return word
    folded = word.translate(_LOOKALIKES)
    disguised = not _FOREIGN_LETTER.search(folded)
    return folded if disguised and _LATIN.search(whole) else word
