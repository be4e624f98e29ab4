"""Told: clauses that only say why something is asked for."""

from __future__ import annotations

from dataclasses import replace

from opsmith.parse.evidence import CHANGES, guess, may_ask_for_change
from opsmith.parse.lexicon import phrase
from opsmith.parse.pieces import Step
from opsmith.parse.spans import pattern

# "its disk is nearly full, clean it": why, not what.
_STATES = phrase("clauses", "states")
_INTENDS = phrase("clauses", "intends")
_REQUESTS = phrase("clauses", "requests")
_TELLS = frozenset({"detect_anomaly", "query_resource", "check_health"})
_METRIC = pattern("<metric>")


def tells(text: str) -> bool:
    """Whether a tagged clause states something and asks for nothing."""
    return bool(_STATES.search(text)) and not _REQUESTS.search(text)


def only_states(last: Step, step: Step) -> bool:
    """Whether the step before only states what this one asks about."""
    if step.guess.intent == "diagnose_incident":
        told = last.guess.intent in _TELLS and not _REQUESTS.search(last.text)
        # "its restarts today, plus the reason why": one more thing to find out, no statement.
        one_more = step.mark == "also" or (step.mark == "and" and not tells(last.text))
        figure = one_more and last.guess.intent == "query_metric"
        return (told or not last.guess.strong) and not step.condition and not figure
    if step.guess.intent == "silence_alert" and last.guess.intent == "explain_alert":
        return not last.guess.strong
    if step.guess.intent in CHANGES and step.mark in {"", "comma", "stop"}:
        if _INTENDS.search(last.text) and last.guess.intent not in CHANGES:
            return not step.condition
        states = bool(_STATES.search(last.text)) and may_ask_for_change(last.text)
        told = last.guess.intent == "search_logs" and not _REQUESTS.search(last.text)
        return states and (told or not last.guess.strong) and not step.condition
    if step.guess.intent in {"detect_anomaly", "forecast_metric"}:
        named = last.guess.intent == "query_metric" and not (last.guess.strong or last.mark)
        return named and not _METRIC.search(step.text)
    return step.guess.intent == "explain_alert" and last.guess.stated


def judged_again(step: Step) -> Step:
    """What was joined to a step may say more clearly what it is; never that it is a change."""
    if step.guess.strong or step.shares:
        return step
    whole = guess(step.text)
    better = whole and whole.points > step.guess.points and whole.intent not in CHANGES
    return replace(step, guess=whole) if whole and better else step
