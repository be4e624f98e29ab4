"""Conditions: what must have been found before a step is done."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.parse.draft import Draft
from opsmith.parse.evidence import CHANGES
from opsmith.parse.lexicon import joints, phrase
from opsmith.parse.slots import Words
from opsmith.parse.spans import Tagger

_BACK = phrase("conditions", "back")
_OF_THE_LAST = phrase("conditions", "of_the_last")
COMPLEMENT: dict[str, str | None] = {
    "breach": "no_breach",
    "no_breach": "breach",
    "healthy": "unhealthy",
    "unhealthy": "healthy",
    "failure": None,
    "": "failure",
}
# What "yes" means as the outcome of a task that can be waited for.
POSITIVE = {
    "check_health": "healthy",
    "detect_anomaly": "breach",
    "query_metric": "breach",
    "forecast_metric": "breach",
}
_MEASURED = frozenset({"query_metric", "forecast_metric"})
# For each kind of task that can be waited for: the words, and the finding they mean.
_READINGS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "detect_anomaly": (
        ("sound", "no_breach"),
        ("calm", "no_breach"),
        ("anomalous", "breach"),
    ),
    "check_health": (
        ("sound", "healthy"),
        ("unhealthy", "unhealthy"),
        ("healthy", "healthy"),
        ("failure", "unhealthy"),
    ),
    "query_metric": (("not_over", "no_breach"), ("low", "no_breach"), ("high", "breach")),
    "forecast_metric": (("not_over", "no_breach"), ("low", "no_breach"), ("high", "breach")),
    "compare_config": (("same", "no_breach"), ("differs", "breach")),
    "search_logs": (("absent", "no_breach"), ("found", "breach")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a condition asks for.

    source: position of the task that finds it, when it is there already.
    check: the intent of a task to add, when it is not.
    found: the value of the slot `condition`; None for plain success.
    threshold: a threshold to give to the source.
    after_change: the check looks at what the task before has changed.
    """

    found: str | None
    source: int = -1
    check: str | None = None
    threshold: str | None = None
    after_change: bool = False


def finding_of(text: str, tagger: Tagger, drafts: list[Draft]) -> Finding | None:
    """Read a condition against the tasks before it; None when it cannot be checked."""
    words = Words.of("query_metric", text, tagger)
    if words.first("metric") or words.first("thr"):
        return _measured(words, text, drafts)
    names_target = bool(words.every("svc", "host", "grp", "name"))
    if names_target and (_says("odd", text) or (words.first("win") and _says("anomalous", text))):
        found = "no_breach" if _says("sound", text) else "breach"
        return Finding(found=found, check="detect_anomaly")
    if drafts and not names_target:
        return _of_sibling(text, drafts) or _of_task_before(text, drafts)
    if _says("unhealthy", text) or _says("healthy", text):
        return _of_health(words, text, drafts)
    if drafts:
        return _of_task_before(text, drafts)
    return Finding(found="breach", check="detect_anomaly") if _says("anomalous", text) else None


def _of_health(words: Words, text: str, drafts: list[Draft]) -> Finding:
    found = _health(text)
    place = _last(drafts, {"check_health"})
    named = words.every("svc", "name")
    if place is not None and drafts[place].slots.get("service") in named:
        return Finding(found=found, source=place)
    return Finding(found=found, check="check_health")


def ask_about_limits(drafts: list[Draft], tagger: Tagger) -> None:
    """Ask about a change where a limit was named before it and nothing waits for the limit."""
    heard = {draft.slots.get("threshold") for draft in drafts}
    said = {span.value for span in tagger.spans if span.kind == "thr"}
    lost = bool(said - heard) and bool(_INSISTS.search(tagger.text))
    used = {need for draft in drafts if "condition" in draft.slots for need in draft.needs}
    for place, draft in enumerate(drafts):
        unused = any("threshold" in drafts[at].slots for at in set(range(place)) - used)
        bare = draft.intent in CHANGES and "condition" not in draft.slots
        if bare and (lost or unused) and "condition" not in draft.unclear:
            draft.unclear += ("condition",)


# "only with a lag below 100": a limit that is no aside.
_INSISTS = phrase("compose", "insists")


def _health(text: str) -> str:
    bad = _says("unhealthy", text) and not _says("sound", text)
    return "unhealthy" if bad else "healthy"


def _measured(words: Words, text: str, drafts: list[Draft]) -> Finding | None:
    metric, threshold = words.first("metric"), words.first("thr")
    place = _last(drafts, _MEASURED)
    limit = threshold if isinstance(threshold, str) else None
    known = place is not None and (
        metric is None
        or (drafts[place].slots.get("metric") == metric and not words.every("svc", "host"))
    )
    if place is not None and known:
        low = limit is None and _says("low", text) and not _says("high", text)
        found = "no_breach" if low or _says("not_over", text) else "breach"
        crossed = None if limit else _crossed(text, drafts[place])
        return Finding(found=crossed or found, source=place, threshold=limit)
    if metric is None:
        return None
    if limit is None and not (_says("anomalous", text) or _says("high", text)):
        return None
    check = "query_metric" if limit else "detect_anomaly"
    if limit and (words.first("hor") or _says("ahead", text)):
        check = "forecast_metric"
    # "not over 1%", "没超过 1%": the limit stays, and what is asked for is that it holds.
    denied = _says("not_over", text) or (not limit and _says("sound", text))
    return Finding(found="no_breach" if denied else "breach", check=check)


def _crossed(text: str, asked: Draft) -> str | None:
    """The side of a limit that words name, against the one asked about: `below 99%? if it is ...`.

    None where they name no side, or both.
    """
    limit = asked.slots.get("threshold")
    over, under = _says("over", text), _says("under", text)
    if not isinstance(limit, str) or over == under:
        return None
    same = over == limit.startswith(">")
    return "breach" if same != _says("denied", text) else "no_breach"


def _of_task_before(text: str, drafts: list[Draft]) -> Finding | None:
    place = len(drafts) - 1
    before = drafts[place].intent
    crossed = _crossed(text, drafts[place]) if before in _MEASURED else None
    for word, found in (("yes", POSITIVE.get(before)), *_READINGS.get(before, ())):
        if crossed or (found and _says(word, text)):
            return Finding(found=crossed or found, source=place)
    if _says("failure", text):
        # "if that doesn't fail" is plain success.
        return Finding(found=None if _says("sound", text) else "failure", source=place)
    back = before == "rollback_release" and bool(_BACK.search(text))
    if back or _says("success", text):
        return Finding(found=None, source=place)
    if before in CHANGES and (_says("unhealthy", text) or _says("healthy", text)):
        return Finding(found=_health(text), check="check_health", after_change=True)
    earlier = _last(drafts, {"check_health"})
    if earlier is not None and (_says("unhealthy", text) or _says("healthy", text)):
        return Finding(found=_health(text), source=earlier)
    return None


def _of_sibling(text: str, drafts: list[Draft]) -> Finding | None:
    """The other branch of a check: `if down, restart it; if up, show its lag`."""
    if outcome := _other_outcome(text, drafts):
        return outcome
    own = drafts[-1].slots.get("condition")
    if own is None or len(drafts[-1].needs) != 1:
        return None
    (source,) = drafts[-1].needs
    for word, found in _READINGS.get(drafts[source].intent, ()):
        if _says(word, text):
            return Finding(found=found, source=source) if found != own else None
    return None


def _other_outcome(text: str, drafts: list[Draft]) -> Finding | None:
    """The other branch of a run: `if it goes through, restart nginx; if it fails, show ...`."""
    source, own = drafts[-1].branch or (-1, None)
    if source < 0 or drafts[source].intent in _READINGS or _OF_THE_LAST.search(text):
        return None
    sound = _says("sound", text)
    failed = (_says("failure", text) or _says("unhealthy", text)) and not sound
    if not failed and not sound and not _says("success", text):
        return None
    found = "failure" if failed else None
    return Finding(found=found, source=source) if found != own else None


def _last(drafts: list[Draft], intents: set[str] | frozenset[str]) -> int | None:
    return next((p for p in reversed(range(len(drafts))) if drafts[p].intent in intents), None)


def _says(word: str, text: str) -> bool:
    return bool(joints().condition[word].search(text))
