"""Verdict: the one sentence that is read first; every figure in it is one of the Diagnosis."""

from __future__ import annotations

from opsmith.explain.words import chance_word, clean, joined, meaning, name, percent, when
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Cause, Diagnosis, Status

HEADLINES = {
    Status.DIAGNOSED: "Root cause found",
    Status.INCONCLUSIVE: "No cause can be named yet",
    Status.HEALTHY: "Nothing is ill",
}

_MOST_NAMED = 2


def verdict(diagnosis: Diagnosis) -> str:
    """Who is to blame, how, how sure that is, since when and on which path; or why nobody is."""
    if diagnosis.status is Status.HEALTHY:
        return f"Nothing in this recording left its usual range{_because(diagnosis)}."
    if diagnosis.status is Status.INCONCLUSIVE or not diagnosis.causes:
        why = _because(diagnosis)
        return f"The evidence does not single out one cause{why}{_guess(diagnosis)}"
    cause = diagnosis.causes[0]
    since = f", since {when(diagnosis.onset)}" if diagnosis.onset else ""
    known = cause.kind is not CauseKind.UNKNOWN
    how = f": {meaning(cause.kind)}" if known else "; in which way is not known"
    who = f"{name(cause.entity)} is the root cause ({_sure(cause)})"
    return f"{who}{how}{since}{_reach(diagnosis)}."


def _because(diagnosis: Diagnosis) -> str:
    if not diagnosis.reasons:
        return ""
    first = clean(diagnosis.reasons[0]).strip().rstrip(".")
    return f": {first}"


def _guess(diagnosis: Diagnosis) -> str:
    if not diagnosis.causes:
        return "."
    cause = diagnosis.causes[0]
    if len(diagnosis.causes) == 1:
        # Its share of what was looked at is all of it, and says nothing.
        return f". Only {name(cause.entity)} could be looked at."
    kind = "" if cause.kind is CauseKind.UNKNOWN else f", {cause.kind}"
    return f". The best guess is {name(cause.entity)} ({_sure(cause)}{kind})."


def _sure(cause: Cause) -> str:
    return f"{percent(cause.confidence)} sure, {chance_word(cause.confidence)}"


def _reach(diagnosis: Diagnosis) -> str:
    """The rest of the path, in the direction the trouble took."""
    if diagnosis.path is None:
        return ""
    entities = tuple(name(entity) for entity in diagnosis.path.entities)
    if len(entities) < 2:  # noqa: PLR2004 - a path of one has nowhere to go
        if not entities or not diagnosis.alerting:
            return ""
        if diagnosis.path.entities[0] in diagnosis.alerting:
            return "; it is also where the alert fired"
        alerting = joined(tuple(name(entity) for entity in diagnosis.alerting))
        return f"; by which path it reached {alerting} is not known"
    passed = entities[1:-1]
    # The path stands right below the verdict; a long one would bury the sentence.
    named = joined(passed) if len(passed) <= _MOST_NAMED else f"{len(passed)} others"
    between = f" by way of {named}" if passed else ""
    return f"; it reached {entities[-1]}{between}"
