"""Dialogue: what earlier turns leave behind, and turns that only make sense after them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from opsmith.nouns.task import Clarify, Reading, SlotValue, Task, Understood
from opsmith.parse.evidence import CHANGES, Guess
from opsmith.parse.lexicon import phrase
from opsmith.parse.schema import TARGETS, TaskSchema
from opsmith.parse.slots import Slots, Words, read_slots
from opsmith.parse.spans import Tagger

# Turns after which "it" no longer means what was named: a guess about attention, kept short
# because a wrong "it" may change the wrong service.
_REMEMBERED_TURNS = 3
_CORRECTS = phrase("dialogue", "corrects")
_NOT_THIS = phrase("dialogue", "not_this")
_AGAIN = phrase("dialogue", "again")
_AND_FOR = phrase("dialogue", "and_for")
_IT = phrase("dialogue", "it")
_REQUESTS = phrase("clauses", "requests")
_YES = phrase("dialogue", "yes")
_OFFER = phrase("dialogue", "offer")
_ONE_BEFORE = phrase("dialogue", "one_before")
_WHICH_NAMESPACE = phrase("dialogue", "which_namespace")
# A label of RFC 1123, as Kubernetes names namespaces.
_BARE_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?")
_SENTENCE_END = re.compile(r"[.!?。!?;;]\s+|[。!?;](?=\S)")
_MEASURES = frozenset({"query_metric", "forecast_metric", "detect_anomaly"})
_SWAPPED: tuple[tuple[str, str], ...] = (
    ("service", "svc"),
    ("service", "name"),
    ("host", "host"),
    ("host_group", "grp"),
    ("namespace", "ns"),
    ("env", "env"),
    ("metric", "metric"),
    ("alert", "alert"),
    ("threshold", "thr"),
    ("revision", "ver"),
    ("command", "cmd"),
    ("path", "path"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a conversation leaves behind for the next turn.

    tasks: of the last turn that had any.
    missing: what was asked for and is not answered yet.
    mentioned: target slots spoken of last.
    age: turns since then.
    said: the assistant's last words.
    """

    tasks: tuple[Task, ...] = ()
    missing: tuple[str, ...] = ()
    mentioned: Mapping[str, SlotValue] = field(default_factory=dict)
    age: int = 0
    said: str = ""

    def after(self, reading: Reading) -> State:
        """The state once `reading` was the answer to this turn."""
        if not isinstance(reading, Understood | Clarify) or not reading.tasks:
            return replace(self, missing=(), age=self.age + 1, said="")
        targets = _targets_of(reading.tasks)
        return State(
            tasks=reading.tasks,
            missing=reading.missing if isinstance(reading, Clarify) else (),
            mentioned=targets or self.mentioned,
            age=0 if targets else self.age + 1,
        )

    def heard(self, text: str) -> State:
        """The state after the assistant spoke; its words may be an offer to be accepted."""
        return replace(self, said=text)

    @property
    def fresh(self) -> bool:
        """Whether "it" still means what was mentioned."""
        return bool(self.mentioned) and self.age < _REMEMBERED_TURNS


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Tasks read out of the turns before, with what changed in them."""

    tasks: tuple[tuple[str, Slots, tuple[int, ...]], ...]
    why: str


def offer_in(text: str) -> str | None:
    """The action an assistant's question offers ("Shall I restart cart?"), else None."""
    said = text.strip()
    if not said.endswith(("?", "？")):
        return None
    last = _SENTENCE_END.split(said.rstrip("?？"))[-1]
    match = _OFFER.match(last)
    return (match[1] if match else last).strip()


def accepts(text: str) -> str | None:
    """What a turn says besides yes ("yes, in prod" -> "in prod"), None when it says no yes.

    >>> accepts("yes, go ahead, in prod"), accepts("go ahead"), accepts("no")
    ('in prod', '', None)
    """
    match = _YES.match(text)
    return text[match.end() :].strip(" ,.!，。") if match else None


def points_back(text: str) -> bool:
    """Whether a turn speaks of "it"."""
    return bool(_IT.search(text))


def follow_up(
    tagger: Tagger, asked: Guess | None, state: State, schemas: Mapping[str, TaskSchema]
) -> FollowUp | None:
    """Read a turn as an answer, a correction or a repetition of the turns before.

    None when it stands on its own.
    """
    if not state.tasks:
        return None
    own = asked.intent if asked is not None and asked.strong else None
    new = own is not None and own not in {task.intent for task in state.tasks}
    answers = state.missing or state.said.rstrip().endswith(("?", "？"))
    if answers and (not new or _names_an_answer(tagger, own, state)):
        answered = _answered(tagger, state, schemas)
        if answered or state.missing:
            return answered
    for applies, why in _repetitions(tagger.text, asked, own, state):
        if applies:
            kept = _NOT_THIS.sub(" ", tagger.text) if why is _CORRECTION else tagger.text
            return _swapped(tagger, kept, state, schemas, why)
    return None


def _names_an_answer(tagger: Tagger, own: str | None, state: State) -> bool:
    """Whether a turn only names what was asked for: "the health one" of a report."""
    if own in CHANGES or not state.missing:
        return False
    if tagger.spans and {span.kind for span in tagger.spans} & {kind for _, kind in _SWAPPED}:
        return False
    if points_back(tagger.text) or _REQUESTS.search(tagger.text):
        return False
    words = Words.of(state.tasks[-1].intent, tagger.text, tagger)
    return bool(read_slots(words, state.missing, tagger))


_CORRECTION = "a correction of the last turn"


def _repetitions(
    text: str, asked: Guess | None, own: str | None, state: State
) -> tuple[tuple[bool, str], ...]:
    """The ways in which a turn may repeat the last one, and whether each applies."""
    before = [task.intent for task in state.tasks]
    same = own is None or own == before[-1] or bool(_NOT_THIS.search(text))
    measured = asked is not None and asked.intent == "query_metric" and set(before) <= _MEASURES
    leads = bool(_AND_FOR.search(text))
    reads = own is None and not CHANGES & set(before)
    return (
        (bool(_CORRECTS.search(text)) and same, _CORRECTION),
        (
            bool(_AGAIN.search(text)) and (own is None or own in before),
            "the last turn again, for something else",
        ),
        (measured and leads, "the last question, for another metric"),
        (reads and (leads or asked is None), "the last question, with one thing changed"),
    )


def _answered(tagger: Tagger, state: State, schemas: Mapping[str, TaskSchema]) -> FollowUp | None:
    made: list[tuple[str, Slots, tuple[int, ...]]] = []
    changed = False
    for task in state.tasks:
        schema = schemas[task.intent]
        slots: Slots = dict(task.slots)
        words = Words.of(task.intent, tagger.text, tagger)
        given = read_slots(words, schema.slots, tagger)
        given.update(_bare_answer(words, state))
        fresh = {
            name: value
            for name, value in given.items()
            if (name not in slots or name == "revision") and name in schema.slots
        }
        changed = changed or bool(fresh)
        made.append((task.intent, {**slots, **fresh}, task.depends_on))
    return FollowUp(tasks=tuple(made), why="an answer to the question before") if changed else None


def _bare_answer(words: Words, state: State) -> Slots:
    """What a bare number or name means after the question."""
    missing = state.missing
    number = words.first("num")
    if isinstance(number, int) and "replicas" in missing:
        if re.match(r"\W*[+-]", words.raw):
            return {"replicas_delta": -number if "-" in words.raw else number}
        return {"replicas": number}
    if words.intent == "rollback_release" and _ONE_BEFORE.match(words.raw):
        return {"revision": "previous"}
    raw = re.sub(r"[ .!?。]+$", "", words.raw.strip())
    if "command" in missing and raw:
        return {"command": str(words.first("cmd", "quote") or raw)}
    if _WHICH_NAMESPACE.search(state.said) and _BARE_NAME.fullmatch(raw):
        return {"namespace": raw.lower()}
    return {}


def _swapped(
    tagger: Tagger, text: str, state: State, schemas: Mapping[str, TaskSchema], why: str
) -> FollowUp | None:
    made: list[tuple[str, Slots, tuple[int, ...]]] = []
    changed = False
    for task in state.tasks:
        words = Words.of(task.intent, text, tagger)
        known = schemas[task.intent].slots
        given = {
            name: value
            for name, value in read_slots(words, known, tagger).items()
            if _swappable(name, words)
        }
        slots: Slots = {
            name: value
            for name, value in task.slots.items()
            if not _replaced(name, given, task.slots)
        }
        changed = changed or bool(given)
        made.append((task.intent, {**slots, **given}, task.depends_on))
    return FollowUp(tasks=tuple(made), why=why) if changed else None


def _swappable(name: str, words: Words) -> bool:
    kinds = {kind for slot, kind in _SWAPPED if slot == name}
    if kinds:
        return words.first(*kinds) is not None
    return True


def _replaced(name: str, given: Slots, old: Mapping[str, SlotValue]) -> bool:
    """Whether an old slot gives way: to itself, or to another kind of time or target."""
    if name in {"service", "host", "host_group"}:
        named = given.keys() & {"service", "host", "host_group"}
        return name in named or bool(named and not named & old.keys())
    if name in {"window", "start", "end"}:
        return bool(given.keys() & {"window", "start", "end"})
    if name in {"replicas", "replicas_delta"}:
        return bool(given.keys() & {"replicas", "replicas_delta"})
    return name in given


def _targets_of(tasks: tuple[Task, ...]) -> dict[str, SlotValue]:
    """The targets of the last task that names any; alerts as well."""
    for task in reversed(tasks):
        found = {name: task.slots[name] for name in (*TARGETS, "alert") if name in task.slots}
        if found:
            return found
    return {}


__all__ = ["FollowUp", "State", "accepts", "follow_up", "offer_in", "points_back"]
