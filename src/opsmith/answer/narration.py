"""Narration: a model may say facts again; a number or name that no fact has ends it.

So does an echo of the prompt, a list that only copies the facts, and words that say none of them:
small models do little else. The check is on words, not on meaning: a sentence that turns a fact
round with the fact's own words is not caught, so that narration stands below the facts, marked,
and never decides anything.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from opsmith.nouns.answer import Answer, Language
from opsmith.nouns.redaction import redact

# What a small model's context holds beside its answer with room to spare; the bar is 6,000.
MOST_PROMPT_BYTES = 4_000
LONGEST_NARRATION = 800
# Three are asked for; an abbreviation may look like the end of one.
MOST_SENTENCES = 5
# So many words, or Chinese characters, in a row that stand in the prompt are no chance.
ECHO_WORDS, ECHO_SIGNS = 5, 8
# What is left of a text beyond copied facts must be more than "and then".
LEAST_OWN = 3
MAX_TOKENS = 200
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# Names as systems write them: with a sign between, a digit inside, or a capital within.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.:/@][A-Za-z0-9]+)+|[A-Za-z]+\d\w*|[a-z]+[A-Z]\w*")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[\u4e00-\u9fff]", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。!?;\n]+")
_PROMPTED = re.compile(r"\bfacts?\b|事实", re.IGNORECASE)
_CHANGES = re.compile(
    r"\b(?:restart|scale|roll(?:ed|ing)? ?back|delete|drain|should|recommend|please|https?)\b"
    r"|重启|扩容|缩容|回滚|删除|建议|应该|请",
    re.IGNORECASE,
)


def prompt_of(answers: tuple[Answer, ...], language: Language) -> tuple[str, str]:
    """The prompt, at most `MOST_PROMPT_BYTES` long, and the facts in it; secrets redacted."""
    form = _form(language)
    room = MOST_PROMPT_BYTES - len(form.encode())
    facts: list[str] = []
    for said in (redact(line) for one in answers for line in one.said):
        size = len(said.encode()) + 1
        if size > room:
            break
        facts.append(said)
        room -= size
    text = "\n".join(facts)
    return form.replace("{facts}", text), text


def checked(said: str, facts: str) -> str:
    """The narration when it restates facts alone, else nothing.

    >>> checked("The p99 of cart is 49.7 ms.", "p99 latency of cart: 49.7 ms at 13:09:32 UTC.")
    'The p99 of cart is 49.7 ms.'
    >>> checked("The p99 of cart is 50 ms.", "p99 latency of cart: 49.7 ms at 13:09:32 UTC.")
    ''
    """
    text = " ".join(said.split())
    known = facts.casefold()
    if not text or len(text) > LONGEST_NARRATION or not text.isprintable():
        return ""
    if any(number not in _numbers(facts) for number in _NUMBER.findall(text)):
        return ""
    if any(name.casefold() not in known for name in _NAME.findall(text)):
        return ""
    if any(word.casefold() not in known for word in _CHANGES.findall(text)):
        return ""
    return "" if _echoes(said, facts) or _says_nothing(text, facts) else text


def _echoes(said: str, facts: str) -> bool:
    """Whether it repeats the prompt's own words, or itself."""
    if _PROMPTED.search(said) and not _PROMPTED.search(facts):
        return True
    sentences = [one.strip().casefold() for one in _SENTENCE.split(said) if one.strip()]
    if len(sentences) > MOST_SENTENCES or len(set(sentences)) < len(sentences):
        return True
    return bool((_runs(said) & _prompt_runs()) - _runs(facts))


def _says_nothing(text: str, facts: str) -> bool:
    """Whether it copies facts and adds no word, or holds nothing of any of them."""
    left = text.casefold()
    for fact in sorted(facts.casefold().splitlines(), key=len, reverse=True):
        left = left.replace(" ".join(fact.split()).rstrip(".。"), " ")
    if len(_WORD.findall(left)) < LEAST_OWN and left != text.casefold():
        return True
    marks = {*_NUMBER.findall(facts), *map(str.casefold, _NAME.findall(facts))}
    return bool(marks) and not any(mark in text.casefold() for mark in marks)


def _runs(text: str) -> frozenset[str]:
    """Every run of words, and of Chinese characters, that is long enough to be an echo."""
    words = _WORD.findall(text.casefold())
    size = ECHO_SIGNS if sum(len(word) == 1 for word in words) > len(words) / 2 else ECHO_WORDS
    return frozenset(" ".join(words[n : n + size]) for n in range(max(0, len(words) - size + 1)))


@cache
def _prompt_runs() -> frozenset[str]:
    return frozenset[str]().union(*(_runs(_form(one).replace("{facts}", "")) for one in Language))


@cache
def _form(language: Language) -> str:
    name = f"narrate_{language}.txt"
    return (files("opsmith.answer") / "prompts" / name).read_text(encoding="utf-8")


def _numbers(facts: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(facts))
