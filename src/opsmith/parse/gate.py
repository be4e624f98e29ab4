"""The safety gate: before any model, on the words, and after it, on the tasks."""

from __future__ import annotations

import re

from opsmith.nouns.task import DecidedBy, Decision, RefusalKind, Refused, Risk
from opsmith.parse.commands import refusal_of, risk_of
from opsmith.parse.draft import Draft
from opsmith.parse.evidence import CHANGES, Guess
from opsmith.parse.lexicon import phrase, safety
from opsmith.parse.normalise import Plain
from opsmith.parse.slots import Words
from opsmith.parse.spans import Tagger

_REASONS = {
    "chaining": "it chains or substitutes shell commands outside one quoted command",
    "bypass": "it asks to go around approval, policy or the audit trail",
    "destroy": "it would destroy or give away more than any task here may",
    "encoded": "it hides what is to be run behind an encoding",
}
_ELSEWHERE = {
    "creative": "opsmith operates systems; it does not write for pleasure",
    "code": "opsmith operates systems; it does not write programs",
    "world": "this is not about a system that opsmith operates",
    "knowledge": "opsmith answers from a running system, not general questions",
    "other_change": "opsmith has no task for this change",
}
# Intents whose quotation is searched for or explained, never acted on.
_QUOTES_ARE_DATA = frozenset(
    {"explain_alert", "search_logs", "diagnose_incident", "create_report"}
)
_TOLD = phrase("slots", "quoted_speech")
_SOUGHT = phrase("gate", "sought")
_RUNS_INSIDE = re.compile(r"\$\(|\|\s*(?:ba|z)?sh\b")
_NARROW = ("svc", "host", "grp", "alert", "name", "unknown")


def refused_words(tagger: Tagger) -> Refused | None:
    """What the words themselves rule out, quotations aside.

    Names may be made of any words, so that what destroys is looked for with names tagged.
    """
    spoken = tagger.spoken()
    for rule, compiled in safety()["unsafe"].items():
        if compiled.search(tagger.text) or (rule != "destroy" and compiled.search(spoken)):
            return refuse(RefusalKind.UNSAFE, _REASONS[rule])
    return None


def elsewhere(text: str, best: Guess | None, *, named: bool) -> Refused | None:
    """Whether the text is not work on a system: poems, weather, programs to write."""
    clear = best is not None and best.strong and named
    for rule, compiled in safety()["elsewhere"].items():
        if clear and rule in {"world", "knowledge"}:
            continue
        if (
            rule == "other_change"
            and best is not None
            and best.strong
            and best.intent != "query_resource"
        ):
            continue
        if compiled.search(text):
            return refuse(RefusalKind.OUT_OF_SCOPE, _ELSEWHERE[rule])
    return None


def refused_tasks(drafts: list[Draft], plain: Plain, tagger: Tagger) -> Refused | None:
    """What the tasks rule out: a command never run, a change to everything, a disguise."""
    changes = any(draft.intent in CHANGES for draft in drafts)
    if changes and safety()["around"]["said"].search(tagger.text):
        return refuse(RefusalKind.UNSAFE, _REASONS["bypass"])
    for draft in drafts:
        reason = _fault(draft, plain, tagger)
        if reason:
            return refuse(RefusalKind.UNSAFE, reason)
    return None


def awaits_approval(drafts: list[Draft], tagger: Tagger) -> bool:
    """Whether a change is to wait for an approval that no task can look up."""
    lists = any(draft.intent == "list_tasks" for draft in drafts)
    return not lists and bool(safety()["approval"]["word"].search(tagger.text))


def refuse(kind: RefusalKind, reason: str) -> Refused:
    """Refuse, with the reason on record."""
    return Refused(kind=kind, reason=reason, decisions=(Decision(by=DecidedBy.GATE, why=reason),))


def _fault(draft: Draft, plain: Plain, tagger: Tagger) -> str | None:
    words = Words.of(draft.intent, draft.text, tagger)
    command = draft.slots.get("command")
    if draft.intent == "run_command_on_hosts" and isinstance(command, str):
        never = refusal_of(command)
        if never:
            return f"the command is never run: {never}"
    quote = words.first("quote")
    told = bool(_TOLD.search(draft.text)) and draft.intent not in CHANGES
    data = told or draft.intent in _QUOTES_ARE_DATA
    if isinstance(quote, str) and not told and _RUNS_INSIDE.search(quote):
        data = data and bool(_SOUGHT.search(draft.text))
    if isinstance(quote, str) and not data and _looks_run(quote):
        return _REASONS["chaining"]
    if draft.intent not in CHANGES:
        return None
    if plain.hidden or plain.folded:
        return "the text holds hidden or look-alike characters; type the change again by hand"
    looks_only = isinstance(command, str) and risk_of(command) is Risk.READ
    mass = safety()["mass"]["scope"].search(draft.text)
    if mass and not looks_only and not words.every(*_NARROW):
        return "it would change everything at once; name what to change"
    return None


def _looks_run(quote: str) -> bool:
    gate = safety()["unsafe"]
    return bool(gate["chaining"].search(quote) or gate["bypass"].search(quote)) or any(
        sign in quote for sign in (";", "&&", "|", "$(", "`", "\n")
    )
