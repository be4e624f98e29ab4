"""The reader: a sentence and what was said before -> tasks, a question, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from opsmith.nouns.task import (
    Clarify,
    DecidedBy,
    Decision,
    Reading,
    RefusalKind,
    Risk,
    Task,
    Understood,
)
from opsmith.parse.catalogue import Catalogue
from opsmith.parse.clauses import segments, steps
from opsmith.parse.commands import risk_of
from opsmith.parse.compose import Composer
from opsmith.parse.dialogue import State, accepts, follow_up, offer_in, points_back
from opsmith.parse.draft import Draft
from opsmith.parse.evidence import CHANGES, Guess, changes_asked, guess
from opsmith.parse.gate import awaits_approval, elsewhere, refuse, refused_tasks, refused_words
from opsmith.parse.last import Ask, last_opinion
from opsmith.parse.lexicon import phrase
from opsmith.parse.literals import tag_bare_commands, tag_literals
from opsmith.parse.names import NameFinder, tag_names, tag_stems
from opsmith.parse.normalise import Plain, normalise
from opsmith.parse.numbers import tag_numbers
from opsmith.parse.pieces import Step
from opsmith.parse.questions import question_for
from opsmith.parse.schema import TaskSchema
from opsmith.parse.schema_check import faults_of
from opsmith.parse.second import SecondOpinion, second_opinion
from opsmith.parse.spans import Tagger
from opsmith.parse.spared import without_spared
from opsmith.parse.spelling import mend
from opsmith.parse.thresholds import tag_thresholds
from opsmith.parse.times import tag_clocks, tag_durations, zone_of
from opsmith.parse.voice import actively
from opsmith.seams.intent import Intents

_TARGET_KINDS = frozenset({"svc", "host", "grp", "ns", "name", "alert", "unknown"})
_OPS_KINDS = _TARGET_KINDS | {"metric", "cmd", "env"}


class SentenceReader:
    """Reads sentences against one catalogue and one set of task schemas.

    zone: the time zone of clock times that state none.
    intents: a model to ask where the rules leave the intent open, None for none.
    last: asks a language model where that leaves it open too, None for nobody.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        schemas: Mapping[str, TaskSchema],
        *,
        zone: str = "UTC",
        intents: Intents | None = None,
        last: Ask | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.schemas = schemas
        self.zone = zone
        self.intents = intents
        self.last = last
        self._finder = NameFinder(catalogue)

    def read(self, text: str, state: State | None = None) -> tuple[Reading, State]:
        """Read one turn. Never raises on what the text holds; returns the state for the next."""
        before = state or State()
        reading = self._read(text, before)
        return reading, before.after(reading)

    def _read(self, text: str, state: State) -> Reading:
        plain = normalise(text)
        if plain.fault is not None:
            return refuse(RefusalKind.UNREADABLE, plain.fault)
        if not plain.text:
            return Clarify(question="What should opsmith do?", missing=("intent",))
        more = accepts(plain.text)
        if more is not None and (offer := offer_in(normalise(state.said).text)):
            offered = self._read(f"{offer} {more}", replace(state, said=""))
            if isinstance(offered, Understood):
                return offered
        tagger = self.tagged(plain)
        if len(tagger.text) > _LONGEST_SAID:
            return refuse(RefusalKind.UNREADABLE, "it is too long for an instruction; say less")
        if refusal := refused_words(tagger):
            return refusal
        return self._decided(plain, tagger, state)

    def tagged(self, plain: Plain) -> Tagger:
        """Run every lexer, the ones that must not be misread by others first."""
        tagger = Tagger(plain.text)
        tag_literals(tagger)
        tagger.text = mend(tagger.text, self._finder.words)
        tag_clocks(tagger)
        tag_thresholds(tagger)
        tag_durations(tagger)
        tag_names(tagger, self._finder)
        tag_numbers(tagger)
        tagger.text = actively(_LOOSE_SPACE.sub("", tagger.text))
        return tagger

    def _decided(self, plain: Plain, tagger: Tagger, state: State) -> Reading:
        asked = self._asked(tagger)
        kinds = {span.kind for span in tagger.spans}
        if refusal := elsewhere(tagger.text, asked, named=bool(kinds & _TARGET_KINDS)):
            return refusal
        asked_of = without_spared(tagger.text)
        found = steps(asked_of, tagger)
        again = follow_up(tagger, _strongest(found, asked), state, self.schemas)
        if again is not None:
            drafts = [
                Draft(intent=intent, slots=slots, needs=set(needs), text=tagger.text)
                for intent, slots, needs in again.tasks
            ]
            decision = Decision(by=DecidedBy.DIALOGUE, why=again.why)
            return self._judged(drafts, plain, tagger, decision)
        tagger.text = asked_of
        second = self._second(found, tagger, kinds)
        if second and second.elsewhere:
            return refuse(RefusalKind.OUT_OF_SCOPE, second.decision.why)
        if second and second.change:
            return _is_it(second.change, second.decision, chinese=plain.chinese)
        decision = Decision(by=DecidedBy.RULES, why="the words of the sentence")
        if second:
            found, decision = list(second.steps), second.decision
        return self._judged(self._composed(found, tagger, state), plain, tagger, decision)

    def _asked(self, tagger: Tagger) -> Guess | None:
        """What the whole text asks for, once what only then can be a name or a command is one."""
        asked = guess(tagger.text)
        if asked is None or not asked.strong:
            tag_bare_commands(tagger)
            asked = guess(tagger.text)
        if asked and asked.strong and not {s.kind for s in tagger.spans} & _TARGET_KINDS:
            tag_stems(tagger, self._finder)
        return asked

    def _judged(
        self, drafts: list[Draft], plain: Plain, tagger: Tagger, decision: Decision
    ) -> Reading:
        if refusal := refused_tasks(drafts, plain, tagger):
            return refusal
        if not drafts:
            return self._nothing({span.kind for span in tagger.spans}, tagger.text)
        if unheard := _unheard(tagger.text, drafts):
            return _is_it(unheard, decision, chinese=plain.chinese)
        if awaits_approval(drafts, tagger) or _HELD_BACK.search(tagger.text):
            for draft in drafts:
                draft.unclear += ("condition",) * (draft.intent in CHANGES)
        return self._checked(drafts, plain, decision)

    def _second(self, found: list[Step], tagger: Tagger, kinds: set[str]) -> SecondOpinion | None:
        named, second = bool(kinds & _OPS_KINDS), None
        if self.intents is not None:
            second = second_opinion(found, tagger, self.intents, self.schemas, named=named)
        if second or found or self.last is None:
            return second
        ours = named or _ABOUT_A_SYSTEM.search(tagger.text)
        return last_opinion(tagger, self.last, self.schemas) if ours else None

    def _composed(self, found: list[Step], tagger: Tagger, state: State) -> list[Draft]:
        mentioned: Mapping[str, object] = {}
        if state.fresh and (points_back(tagger.text) or state.age == 0):
            mentioned = state.mentioned
        told = self._told(state) if points_back(tagger.text) else {}
        known = (
            (told, mentioned)
            if "host" in told and _THAT_HOST.search(tagger.text)
            else (mentioned, told)
        )
        drafts = Composer(tagger, self.schemas, known).compose(
            [step for step in found if step.guess.intent in self.schemas]
        )
        if _THAT_USER.search(tagger.text) and (user := self._told_user(state)):
            for draft in drafts:
                if draft.intent == "list_tasks":
                    draft.slots.setdefault("user", user)
                    if not {span.kind for span in tagger.within(draft.text)} & _TARGET_KINDS:
                        # "their tasks" are a person's, whatever service was spoken of.
                        draft.slots.pop("service", None)
        return drafts

    def _told_user(self, state: State) -> str:
        """Who "he" is: who the other side said did it, else whose tasks were listed."""
        said = self.tagged(normalise(state.said)).text if state.said else ""
        if match := _WHO_DID.search(said):
            return next(group for group in match.groups() if group)
        users = [task.slots["user"] for task in state.tasks if "user" in task.slots]
        return str(users[-1]) if users else ""

    def _told(self, state: State) -> dict[str, object]:
        """The one target of each kind that the other side spoke of last."""
        spans = self.tagged(normalise(state.said)).spans if state.said else []
        found: dict[str, object] = {}
        for slot, kind in (("service", "svc"), ("host", "host"), ("alert", "alert")):
            values = {span.value for span in spans if span.kind == kind}
            if len(values) == 1:
                found[slot] = values.pop()
        return found

    def _nothing(self, kinds: set[str], text: str) -> Reading:
        if kinds & _OPS_KINDS or _ABOUT_A_SYSTEM.search(text):
            return Clarify(
                question="What should be done with it?",
                missing=("intent",),
                decisions=(Decision(by=DecidedBy.RULES, why="no intent in the words"),),
            )
        return refuse(RefusalKind.OUT_OF_SCOPE, "no word of it asks for one of opsmith's tasks")

    def _checked(self, drafts: list[Draft], plain: Plain, decision: Decision) -> Reading:
        for draft in drafts:
            if isinstance(sought := draft.slots.get("keyword"), str):
                draft.slots["keyword"] = plain.verbatim(sought)
        tasks = tuple(self._task(draft) for draft in drafts)
        missing: dict[str, None] = {}
        for draft in drafts:
            missing.update(dict.fromkeys(self.schemas[draft.intent].missing(draft.slots)))
            missing.update(dict.fromkeys(draft.unclear))
            if draft.unknown and (draft.intent in CHANGES or "target" in missing):
                missing.setdefault("service")
        for task in tasks:
            missing.update(dict.fromkeys(faults_of(self.schemas[task.intent], task.slots)))
        zone = zone_of(plain.text) or self.zone
        if missing:
            return Clarify(
                question=question_for(
                    tuple(missing), drafts, self.catalogue, chinese=plain.chinese
                ),
                missing=tuple(missing),
                tasks=tasks,
                zone=zone,
                decisions=(decision,),
            )
        return Understood(tasks=tasks, zone=zone, decisions=(decision,))

    def _task(self, draft: Draft) -> Task:
        schema = self.schemas[draft.intent]
        risk, command = schema.risk, draft.slots.get("command")
        if draft.intent == "run_command_on_hosts":
            risk = risk_of(command) if isinstance(command, str) else Risk.DESTRUCTIVE
        known = {name: draft.slots[name] for name in schema.slots if name in draft.slots}
        return Task(
            intent=draft.intent, slots=known, depends_on=tuple(sorted(draft.needs)), risk=risk
        )


# Without quotations, names and times; the words of an instruction are a tenth of this.
_LONGEST_SAID = 1_500
# Chinese may be set with or without a space beside a name or a number; patterns see none.
_LOOSE_SPACE = re.compile(
    "(?<=[\u4e00-\u9fff]) +(?=[\ue000-\uf8ff])|(?<=[\ue000-\uf8ff]) +(?=[\u4e00-\u9fff])"
)
_HELD_BACK = phrase("reader", "held_back")
_THAT_USER = phrase("reader", "that_user")
_WHO_DID = phrase("reader", "who_did")
_ABOUT_A_SYSTEM = phrase("reader", "about_a_system")
# One host of several, picked out by the answer before.
_THAT_HOST = phrase("reader", "that_host")


def _unheard(text: str, drafts: list[Draft]) -> str:
    """A change that a clause asks for and no task makes: never dropped without a word."""
    made = {draft.intent for draft in drafts}
    for segment in segments(text):
        asked = changes_asked(segment.text)
        if asked and not asked & made:
            return min(asked)
    return ""


def _is_it(change: str, decision: Decision, *, chinese: bool) -> Clarify:
    """Ask back about a change that only the model sees, or that only a side clause asks for."""
    words = change.replace("_", " ")
    question = (f"Is this to {words}? Say so in other words.", f"是要 {words} 吗?请换个说法。")
    return Clarify(question=question[chinese], missing=("intent",), decisions=(decision,))


def _strongest(found: list[Step], whole: Guess | None) -> Guess | None:
    strong = [step.guess for step in found if step.guess.strong]
    return strong[0] if strong else whole
