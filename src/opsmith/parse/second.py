"""Second opinions: a model is asked where the words decide nothing, and only about reading."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace

from opsmith.nouns.task import DecidedBy, Decision
from opsmith.parse.evidence import CHANGES, Guess, may_ask_for_change
from opsmith.parse.lexicon import STRONG
from opsmith.parse.pieces import Step
from opsmith.parse.spans import TAG, Tagger
from opsmith.seams.intent import Intents, Opinion

# Nouns, and words that are used of any figure ("show", "check", "look at"), are right more often
# than not: they give way only to a model this sure. Both are chosen by leaving one of six fresh
# sets out (docs/measurements.md).
_SURER = 0.9
_GENERIC = STRONG + 0.3
_NOUN = STRONG - 0.5
# Without any name of a system in the sentence, the model must be surer than its own threshold.
_SURE_WITHOUT_NAME = 0.8
_SURE_OF_CHANGE = 0.8
# What is asked stands at the start; the encoder takes a millisecond a letter of Chinese.
_LONGEST_SHOWN = 320
OUT_OF_SCOPE = "out_of_scope"
_HAN = re.compile("[\u4e00-\u9fff]")
# Which service it is says nothing about what is wanted of it.
_NAMES = {
    "svc": "the service",
    "host": "the host",
    "grp": "the host group",
    "ns": "the namespace",
    "env": "production",
    "alert": "the alert HighErrorRate",
    "ver": "v1.2.3",
    "num": "5",
}
_NAMES_CHINESE = {
    "svc": "订单服务",
    "host": "主机 web-01",
    "grp": "web 组",
    "ns": "命名空间 prod",
    "env": "生产环境",
    "alert": "告警 HighErrorRate",
    "ver": "v1.2.3",
    "num": "5 个",
}
# Read from words that are used of anything ("show", "plot", "report").
_EVERYDAY = frozenset({"query_metric", "create_report"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What a model made of a sentence that rules left open.

    steps: to take instead of theirs. change: an intent that the model sees and rules do not,
        which is never acted on, only asked about. elsewhere: this is no work on a system.
    decision: for the record.
    """

    steps: tuple[Step, ...] = ()
    change: str = ""
    elsewhere: bool = False
    decision: Decision


def second_opinion(
    found: list[Step], tagger: Tagger, model: Intents, known: Container[str], *, named: bool
) -> SecondOpinion | None:
    """Ask the model where rules found nothing, a noun, or words that are used of anything.

    Where rules found everyday words in a sentence that names nothing, it is also asked whether
    this is work on a system.

    named: the sentence names something that opsmith operates. Quotations and commands are not
    shown to the model: they are data.
    """
    # Where rules decide, only "this is no work on a system" can change what they say.
    everyday = bool(found) and all(step.guess.intent in _EVERYDAY for step in found)
    doubted = everyday and not named
    undecided = not found or (len(found) == 1 and not found[0].condition and _is_open(found[0]))
    text = kinds_shown(tagger) if undecided or doubted else ""
    (opinion,) = model.opinions([text]) if text else (None,)
    if opinion is None or opinion.intent is None:
        return None
    if opinion.intent == OUT_OF_SCOPE:
        elsewhere = doubted and opinion.probability >= _SURER
        return SecondOpinion(elsewhere=True, decision=_decision(opinion)) if elsewhere else None
    if not undecided or opinion.intent not in known:
        return None
    return _of_whole(opinion, found, tagger.text, named=named)


def _of_whole(
    opinion: Opinion, found: list[Step], text: str, *, named: bool
) -> SecondOpinion | None:
    """What the model makes of a sentence of at most one step."""
    if opinion.intent in CHANGES:
        return _change(opinion, text, found=bool(found))
    if found:
        return _taken(found, opinion)
    if opinion.probability < (0.0 if named else _SURE_WITHOUT_NAME):
        return None
    step = Step(text=text, guess=Guess(intent=opinion.intent or "", points=STRONG))
    return SecondOpinion(steps=(step,), decision=_decision(opinion))


def _is_open(step: Step) -> bool:
    """Whether a noun, or words that are used of any figure, say what is to be looked at."""
    generic = _GENERIC if step.guess.intent == "query_metric" else _NOUN
    return step.guess.points <= generic and step.guess.intent not in CHANGES


def _taken(found: list[Step], opinion: Opinion) -> SecondOpinion | None:
    """The one step as the model reads it, where it is very sure and rules read it otherwise."""
    intent = opinion.intent or ""
    if opinion.probability < _SURER or intent == found[0].guess.intent:
        return None
    step = replace(found[0], guess=Guess(intent=intent, points=STRONG))
    return SecondOpinion(steps=(step,), decision=_decision(opinion))


def _change(opinion: Opinion, text: str, *, found: bool) -> SecondOpinion | None:
    """Words and model disagree about whether anything changes: a person is asked."""
    sure = not found or opinion.probability >= _SURE_OF_CHANGE
    asked = sure and may_ask_for_change(text)
    return (
        SecondOpinion(change=opinion.intent or "", decision=_decision(opinion)) if asked else None
    )


def shown(tagged: str, tagger: Tagger) -> str:
    """Tagged text as a model may see it: with its names, without quotations and commands."""
    text = TAG.sub(
        lambda tag: " " if tagger.span(tag[0]).kind in {"quote", "cmd"} else tagger.raw(tag[0]),
        tagged,
    )
    return text.strip()[:_LONGEST_SHOWN]


def kinds_shown(tagger: Tagger) -> str:
    """The text as the encoder is shown it, and as it learned: known names by what they name.

    Quotations and commands are left out: they are data.
    """
    names = _NAMES_CHINESE if _HAN.search(tagger.text) else _NAMES
    said = TAG.sub(lambda tag: f" {_said(tagger, tag[0], names)} ", tagger.text)
    return re.sub(r"\s+", " ", said).strip()[:_LONGEST_SHOWN]


def _said(tagger: Tagger, tag: str, names: dict[str, str]) -> str:
    span = tagger.span(tag)
    return "" if span.kind in {"quote", "cmd"} else names.get(span.kind, span.words)


def _decision(opinion: Opinion) -> Decision:
    why = f"adapter {opinion.version}: {opinion.intent} with {opinion.probability:.2f}"
    return Decision(by=DecidedBy.INTENT_MODEL, why=why)
