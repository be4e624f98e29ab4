"""Slots: the values that a step's words give, by the slots its schema knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from opsmith.nouns.task import SlotValue
from opsmith.parse.lexicon import phrase, slot_words, values
from opsmith.parse.spans import TAG, Span, Tagger

Slots = dict[str, SlotValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one step: tagged, as typed, and the values found in them."""

    intent: str
    text: str
    raw: str
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, intent: str, text: str, tagger: Tagger) -> Words:
        """The words of `text`."""
        return cls(
            intent=intent, text=text, raw=tagger.raw(text), spans=tuple(tagger.within(text))
        )

    def first(self, *kinds: str) -> SlotValue | None:
        """The value of the first span of the first kind that has one."""
        for kind in kinds:
            for span in self.spans:
                if span.kind == kind:
                    return span.value
        return None

    def every(self, *kinds: str) -> list[str]:
        """All single values of these kinds, in order, each once."""
        found: dict[str, None] = {}
        for span in self.spans:
            if span.kind in kinds:
                many = span.value if isinstance(span.value, tuple) else (str(span.value),)
                found.update(dict.fromkeys(many))
        return list(found)


def read_slots(words: Words, known: Iterable[str], tagger: Tagger) -> Slots:
    """Every slot of `known` that the words give a value for, one value each."""
    found: Slots = {}
    for slot in known:
        reader = _READERS.get(slot)
        value = reader(words, tagger) if reader else None
        if value is not None and value not in ("", ()):
            found[slot] = value
    return found


def alternatives(words: Words, slot: str) -> list[str]:
    """The values of a slot that makes one task each: services, metrics or alerts in a list."""
    kinds = {"service": ("svc", "name"), "metric": ("metric",), "alert": ("alert",)}[slot]
    return words.every(*kinds)


def _service(words: Words, _tagger: Tagger) -> SlotValue | None:
    return words.first("svc", "name")


def _host(words: Words, _tagger: Tagger) -> SlotValue | None:
    hosts = words.every("host")
    return None if not hosts else hosts[0] if len(hosts) == 1 else tuple(hosts)


def _window(words: Words, _tagger: Tagger) -> SlotValue | None:
    if words.intent == "forecast_metric" or words.first("clock"):
        return words.first("win") if words.first("win") != "now" else None
    if words.intent in {"create_report", "list_tasks"} and words.first("win") == "now":
        return None
    lookback = [span.value for span in words.spans if span.kind == "win"]
    # "now over the last hour": the longer look-back is what is meant.
    return next((one for one in lookback if one != "now"), None) or words.first(
        "win", "dur", "age"
    )


def _clock(end: int) -> Callable[[Words, Tagger], SlotValue | None]:
    def read(words: Words, _tagger: Tagger) -> SlotValue | None:
        for span in words.spans:
            if span.kind == "clock" and isinstance(span.value, tuple) and len(span.value) > end:
                return span.value[end] or None
        return None

    return read


def _span(*kinds: str) -> Callable[[Words, Tagger], SlotValue | None]:
    def read(words: Words, _tagger: Tagger) -> SlotValue | None:
        return words.first(*kinds)

    return read


def _length(*kinds: str) -> Callable[[Words, Tagger], SlotValue | None]:
    def read(words: Words, _tagger: Tagger) -> SlotValue | None:
        lengths = (words.first(kind) for kind in kinds)
        return next(
            (v for v in lengths if isinstance(v, str) and re.fullmatch(r"(\d+[smhd])+", v)), None
        )

    return read


def _listed(slot: str) -> Callable[[Words, Tagger], SlotValue | None]:
    def read(words: Words, _tagger: Tagger) -> SlotValue | None:
        return next((value for value, p in values()[slot].items() if p.search(words.text)), None)

    return read


def _strategy(words: Words, tagger: Tagger) -> SlotValue | None:
    said = _listed("strategy")(words, tagger)
    # "restart it, and at the same time ...": two tasks, and no manner of doing one.
    several = (
        len(words.every("host")) > 1 or words.first("grp") or not _TOGETHER.search(words.text)
    )
    return said if said != "parallel" or several else None


def _agg(words: Words, tagger: Tagger) -> SlotValue | None:
    # "the 5 highest" asks for a ranking, not for a maximum.
    return None if _counted("top")(words, tagger) else _listed("agg")(words, tagger)


def _counted(name: str) -> Callable[[Words, Tagger], SlotValue | None]:
    def read(words: Words, tagger: Tagger) -> SlotValue | None:
        return _number(slot_words()["count"][name], words.text, tagger)

    return read


def _number(sources: Iterable[re.Pattern[str]], text: str, tagger: Tagger) -> int | None:
    for compiled in sources:
        if (match := compiled.search(text)) and (tag := TAG.search(match[0])) and match.groups():
            number = tagger.span(match[1] or tag[0]).value
            return number if isinstance(number, int) else None
    return None


def _replicas(words: Words, tagger: Tagger) -> SlotValue | None:
    table = slot_words()["replicas"]
    exact = _number(table["exact"], words.text, tagger)
    if exact is not None or _delta(words, tagger) is not None:
        return exact
    only = [span.value for span in words.spans if span.kind == "num"]
    return only[0] if len(only) == 1 else None


def _replicas_delta(words: Words, tagger: Tagger) -> SlotValue | None:
    if _number(slot_words()["replicas"]["exact"], words.text, tagger) is not None:
        return None
    return _delta(words, tagger)


def _delta(words: Words, tagger: Tagger) -> int | None:
    table = slot_words()["replicas"]
    size = _number(table["delta"], words.text, tagger)
    counts = [span.value for span in words.spans if span.kind == "num"]
    if size is None and len(counts) == 1 and any(p.search(words.text) for p in table["away"]):
        size = counts[0] if isinstance(counts[0], int) else None
    if size is None and any(compiled.search(words.text) for compiled in table["one"]):
        size = 1
    if not size:
        return None
    return -size if any(compiled.search(words.text) for compiled in table["less"]) else size


def _revision(words: Words, _tagger: Tagger) -> SlotValue | None:
    versions = words.every("ver")
    if versions:
        return versions[-1]
    said = slot_words()["revision"]["previous"]
    return "previous" if any(compiled.search(words.raw) for compiled in said) else None


def _daemonsets(words: Words, _tagger: Tagger) -> SlotValue | None:
    said = slot_words()["daemonsets"]
    if any(compiled.search(words.raw) for compiled in said["false"]):
        return False
    return True if any(compiled.search(words.raw) for compiled in said["true"]) else None


_TOGETHER = phrase("slots", "together")
_LEVEL_PLACE = phrase("slots", "level_place")


def _level(words: Words, _tagger: Tagger) -> SlotValue | None:
    match = _LEVEL_PLACE.search(words.text)
    if not match:
        return None
    said = next(group for group in match.groups() if group)
    return next(
        (v for v, p in values()["level"].items() if p.search(said) or said.lower().startswith(v)),
        "error",
    )


_QUOTED_SPEECH = phrase("slots", "quoted_speech")
_SEARCHES = phrase("slots", "searches")


def _keyword(words: Words, tagger: Tagger) -> SlotValue | None:
    # What a line is said to say is told about it, not searched for.
    told = _QUOTED_SPEECH.search(words.text) and not _SEARCHES.search(words.text)
    literal = words.first("exc") if told else words.first("quote", "exc")
    if literal is not None:
        return literal
    table = slot_words()["keyword"]
    for compiled in table["words"]:
        match = compiled.search(words.text)
        said = tagger.raw(next((g for g in match.groups() if g), "")).strip() if match else ""
        if said and not table["not"][0].search(said):
            return said
    return None


def _user(words: Words, _tagger: Tagger) -> SlotValue | None:
    table = slot_words()["user"]
    for compiled in table["name"]:
        for match in compiled.finditer(words.text):
            if not table["not"][0].search(match[1]):
                return match[1]
    return None


def _action(words: Words, _tagger: Tagger) -> SlotValue | None:
    return next(
        (
            intent
            for intent, sources in slot_words()["action"].items()
            if any(compiled.search(words.text) for compiled in sources)
        ),
        None,
    )


def _report_type(words: Words, _tagger: Tagger) -> SlotValue | None:
    return next((v for v, p in values()["report_type"].items() if p.search(words.raw)), None)


def _symptom(words: Words, tagger: Tagger) -> SlotValue | None:
    # Alerts and quotations are names and data: what they say is no symptom.
    told = TAG.sub(
        lambda tag: " " if _tells_nothing(tagger.span(tag[0])) else tagger.span(tag[0]).words,
        words.text,
    )
    return next((v for v, p in values()["symptom"].items() if p.search(told)), None)


def _tells_nothing(span: Span) -> bool:
    lags = span.kind == "metric" and str(span.value).endswith("_lag")
    return lags or span.kind in {"alert", "quote", "name", "svc"}


def _targets(words: Words, _tagger: Tagger) -> SlotValue | None:
    for kind in ("ver", "env", "ns", "host", "svc", "name"):
        found = words.every(kind)
        if kind == "ver" and len(found) == 1 and _revision_said(words):
            found = [*found, "previous"]
        if len(found) > 1:
            return tuple(found[:2])
    return None


def _revision_said(words: Words) -> bool:
    return any(compiled.search(words.text) for compiled in slot_words()["revision"]["previous"])


_READERS: dict[str, Callable[[Words, Tagger], SlotValue | None]] = {
    "service": _service,
    "host": _host,
    "host_group": _span("grp"),
    "namespace": _span("ns"),
    "env": _span("env"),
    "metric": _span("metric"),
    "window": _window,
    "start": _clock(0),
    "end": _clock(1),
    "horizon": _length("hor", "dur"),
    "duration": _length("dur", "hor", "win"),
    "older_than": _length("age", "win", "dur", "hor"),
    "threshold": _span("thr"),
    "agg": _agg,
    "top": _counted("top"),
    "lines": _counted("lines"),
    "depth": _counted("depth"),
    "replicas": _replicas,
    "replicas_delta": _replicas_delta,
    "revision": _revision,
    "strategy": _strategy,
    "ignore_daemonsets": _daemonsets,
    "direction": _listed("direction"),
    "level": _level,
    "keyword": _keyword,
    "command": _span("cmd"),
    "path": _span("path"),
    "alert": _span("alert"),
    "report_type": _report_type,
    "period": _listed("period"),
    "format": _listed("format"),
    "status": _listed("status"),
    "user": _user,
    "action": _action,
    "targets": _targets,
    "symptom": _symptom,
}
