"""Evidence: which intent a clause asks for, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.parse.lexicon import NOUN, STATE, STRONG, intents, phrase

CHANGES = frozenset(
    [
        "restart_service",
        "scale_service",
        "rollback_release",
        "drain_node",
        "clean_logs",
        "run_command_on_hosts",
        "silence_alert",
    ]
)
# A second pattern of the same intent adds a little: it settles ties, never a weak reading.
_SECOND = 0.25
_CLOSE = 0.2

# Questions and reports of the past; a change verb in them is talked about, not asked for.
_ASKING = phrase("evidence", "asking")
_REQUEST = phrase("evidence", "request")
_NEGATED = phrase("evidence", "negated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """An intent with its points; `rival` when another has nearly as many."""

    intent: str
    points: float
    rival: str | None = None

    @property
    def strong(self) -> bool:
        """Asked for by a verb or a question."""
        return self.points >= STRONG - 0.5

    @property
    def stated(self) -> bool:
        """Only implied by a statement."""
        return self.points <= STATE + _SECOND * 2


def guess(text: str) -> Guess | None:
    """The intent that a tagged clause asks for, or None.

    A change counts only where it is asked for: not in a question about it, not negated, and
    never from a noun.
    """
    points = {intent: _points(intent, text) for intent in intents()}
    asked = may_ask_for_change(text)
    ranked = sorted(
        (
            (intent, value)
            for intent, value in points.items()
            if value > 0 and (asked or intent not in CHANGES)
        ),
        key=lambda row: -row[1],
    )
    if not ranked:
        return None
    (intent, best), rest = ranked[0], ranked[1:]
    if best < STRONG and intent not in CHANGES and _FETCHED.search(text):
        best = STRONG
    rival = next((other for other, value in rest if best - value < _CLOSE), None)
    return Guess(intent=intent, points=best, rival=rival)


def changes_asked(text: str) -> frozenset[str]:
    """Every change that a tagged clause asks for, also where it asks for something else more."""
    if not may_ask_for_change(text):
        return frozenset()
    return frozenset(intent for intent in CHANGES if _points(intent, text) >= STRONG)


def may_ask_for_change(text: str) -> bool:
    """Whether a change verb in this clause would be a request."""
    if _NEGATED.search(text) and not _DOUBLE.search(text):
        return False
    if _TALK.search(text):
        return False
    return not _ASKING.search(text) or bool(_REQUEST.search(text))


# In Chinese the verb may stand behind what it brings: "把它的日志调出来".
_FETCHED = phrase("evidence", "fetched")
_DOUBLE = phrase("evidence", "double")
# A change spoken of ("keeps restarting", "since the rollback"): no "please" makes it a request.
_TALK = phrase("evidence", "talk")


def _points(intent: str, text: str) -> float:
    entry = intents()[intent]
    if any(compiled.search(text) for compiled in entry.ruled_out):
        return 0.0
    hits = [worth for compiled, worth in entry.scored if compiled.search(text)]
    if not hits:
        return 0.0
    return hits[0] + _SECOND * min(len(hits) - 1, 2) * (hits[0] > STATE)


__all__ = ["CHANGES", "NOUN", "Guess", "guess", "may_ask_for_change"]
