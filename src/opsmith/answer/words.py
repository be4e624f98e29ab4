"""Words of answers, in the language of the question."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files

from opsmith.answer.times import Span, zone_of
from opsmith.nouns.answer import Language
from opsmith.nouns.redaction import redact
from opsmith.nouns.task import SlotValue, Task

TARGETS = ("service", "host", "host_group", "namespace", "env")
LONGEST_QUOTE = 300
_CHINESE = re.compile("[\u4e00-\u9fff]")
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60
_LENGTHS = {
    Language.ENGLISH: (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S), ("s", 1)),
    Language.CHINESE: (("天", _DAY_S), ("小时", _HOUR_S), ("分钟", _MINUTE_S), ("秒", 1)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How to speak: the language, and the zone in which times are told."""

    language: Language
    zone: str = "UTC"

    def say(self, key: str, **values: object) -> str:
        """One phrase of `words.toml`, as `section.name`, filled in."""
        section, _, name = key.partition(".")
        return self.phrase(section, name).format(**values)

    def phrase(self, section: str, name: str) -> str:
        """One phrase as it stands, with its places."""
        return words()[section][name][self.language]

    def figure(self, metric: str) -> str:
        """The name of a figure."""
        known = words()["figures"].get(metric)
        return known[self.language] if known else metric

    def time(self, at: datetime | float, *, day: bool = False) -> str:
        """A time of day in the zone, with the zone; `day` adds the date."""
        zone = zone_of(self.zone)
        here = (
            datetime.fromtimestamp(at, tz=zone)
            if isinstance(at, int | float)
            else at.astimezone(zone)
        )
        return f"{here:{'%m-%d ' if day else ''}%H:%M:%S} {here.tzname()}"

    def length(self, length: timedelta) -> str:
        """A length of time in at most two units."""
        left = round(length.total_seconds())
        said: list[str] = []
        for name, seconds in _LENGTHS[self.language]:
            if left >= seconds and len(said) < 2:  # noqa: PLR2004 - two units say enough
                said.append(f"{left // seconds} {name}")
                left %= seconds
        return " ".join(said) or f"0 {_LENGTHS[self.language][-1][0]}"

    def window(self, span: Span, now: datetime) -> str:
        """A stretch of time in words."""
        if span.end == now:
            return self.say("words.last", length=self.length(span.length))
        start, end = (self.time(at, day=True) for at in (span.start, span.end))
        return self.say("words.between", start=start, end=end)


@cache
def words() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """All phrases: section, name, language."""
    text = (files("opsmith.answer") / "words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def language_of(text: str) -> Language:
    """Chinese when the text holds a Chinese character, else English.

    >>> language_of("cart 慢吗").value, language_of("is cart slow?").value
    ('zh', 'en')
    """
    return Language.CHINESE if _CHINESE.search(text) else Language.ENGLISH


def names_in(value: SlotValue | None) -> tuple[str, ...]:
    """The names in a slot: one, several or none."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def who(task: Task, speech: Speech) -> str:
    """What a task is about, in words."""
    found = [name for slot in TARGETS for name in names_in(task.slots.get(slot))]
    return ", ".join(map(quote, found)) or speech.say("words.everything")


def quote(text: str) -> str:
    """A stranger's text on one line: secrets out, what prints nothing shown as an escape, cut."""
    clear = redact(text[: 4 * LONGEST_QUOTE])
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(clear.split()))
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[: LONGEST_QUOTE - 1]}…"


def slots_text(task: Task) -> str:
    """The slots of a task on one line."""
    return ", ".join(
        f"{name}={quote('+'.join(value) if isinstance(value, tuple) else str(value))}"
        for name, value in task.slots.items()
        if name != "condition"
    )
