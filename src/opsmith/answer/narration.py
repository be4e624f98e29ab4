"""Narration: a model may say facts again; a number or name that no fact has ends it.

The check is on words, not on meaning: a sentence that turns a fact round with the fact's own words
is not caught, so that narration stands below the facts, marked, and never decides anything.
"""

from __future__ import annotations

import re
from importlib.resources import files

from opsmith.nouns.answer import Answer, Language
from opsmith.nouns.redaction import redact

# What a small model's context holds beside its answer with room to spare; the bar is 6,000.
MOST_PROMPT_BYTES = 4_000
LONGEST_NARRATION = 800
MAX_TOKENS = 200
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# Names as systems write them: with a sign between, a digit inside, or a capital within.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.:/@][A-Za-z0-9]+)+|[A-Za-z]+\d\w*|[a-z]+[A-Z]\w*")
_CHANGES = re.compile(
    r"\b(?:restart|scale|roll(?:ed|ing)? ?back|delete|drain|should|recommend|please|https?)\b"
    r"|重启|扩容|缩容|回滚|删除|建议|应该|请",
    re.IGNORECASE,
)


def prompt_of(answers: tuple[Answer, ...], language: Language) -> tuple[str, str]:
    """The prompt, at most `MOST_PROMPT_BYTES` long, and the facts in it; secrets redacted."""
    name = f"narrate_{language}.txt"
    form = (files("opsmith.answer") / "prompts" / name).read_text(encoding="utf-8")
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
    return text


def _numbers(facts: str) -> frozenset[str]:
    return frozenset(_NUMBER.findall(facts))
