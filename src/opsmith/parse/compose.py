"""Steps in words -> tasks with slots, targets carried over, conditions and dependencies."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from opsmith.parse.carry import kind_meant, names_what_is_unknown, taken_over
from opsmith.parse.conditions import COMPLEMENT, POSITIVE, Finding, ask_about_limits, finding_of
from opsmith.parse.draft import Draft
from opsmith.parse.evidence import CHANGES
from opsmith.parse.lexicon import phrase
from opsmith.parse.lists import each_its_extreme, first_list
from opsmith.parse.pieces import Step
from opsmith.parse.schema import TARGETS, TaskSchema
from opsmith.parse.slots import Slots, Words, read_slots
from opsmith.parse.spans import TAG, Tagger
from opsmith.parse.spared import in_doubt

_VERIFIES = phrase("compose", "verifies")
_IN_ORDER = phrase("compose", "in_order")
# In these, only services named in one list make a task each; others are what is talked about.
_ONE_SUBJECT = frozenset(
    {
        "diagnose_incident",
        "show_topology",
        "create_report",
        "list_tasks",
        "compare_config",
        "search_logs",
        "explain_alert",
    }
)
_ONE_AFTER_THE_OTHER = frozenset(
    {("drain_node", "run_command_on_hosts"), ("diagnose_incident", "create_report")}
)
# What these find is for a person to judge: no change waits for it unasked.
_UNMEASURED = frozenset({"compare_config", "search_logs"})
# Changes whose words can give no time but that of doing them.
_DONE_AT_ONCE = CHANGES - {"rollback_release", "silence_alert", "clean_logs"}
_PLACES = frozenset({"svc", "host", "grp", "name", "unknown"})
_KINDS = {
    "service": ("svc", "name"),
    "metric": ("metric",),
    "alert": ("alert",),
    "env": ("env",),
    "namespace": ("ns",),
}


@dataclass(slots=True, kw_only=True)
class _Branch:
    source: int
    finding: str | None


class Composer:
    """Makes the tasks of one sentence.

    mentioned: target slots spoken of in earlier turns, nearest first, used when this sentence
        names none.
    """

    def __init__(
        self,
        tagger: Tagger,
        schemas: Mapping[str, TaskSchema],
        mentioned: tuple[Mapping[str, object], ...],
    ) -> None:
        self.tagger = tagger
        self.schemas = schemas
        self.mentioned = mentioned
        self.drafts: list[Draft] = []
        self._group: list[int] = []
        self._needs: set[int] = set()
        self._base: set[int] = set()
        self._branch: _Branch | None = None
        self._recent: list[int] = []

    def compose(self, steps: list[Step]) -> list[Draft]:
        """The tasks of `steps`, in order, their targets filled in from each other."""
        last: list[int] = []
        listed: list[int] = []
        for place, step in enumerate(steps):
            made = self._add(step, steps[place + 1 :])
            if step.shares and last:
                self._share_times(last, made, step)
                if step.mark == "then":
                    self._share_manner(last, made)
                listed += made
                self._share_agg(listed, step)
            else:
                listed = list(made)
            last = made
        self._recent = []
        for draft in self.drafts:
            self._carry(draft)
        ask_about_limits(self.drafts, self.tagger)
        return self.drafts

    def _add(self, step: Step, later: list[Step]) -> list[int]:
        self._place(step)
        finding = self._meet(step, later) if step.condition else None
        unclear = self._unclear(step, checked=finding is not None)
        made: list[int] = []
        ordered = bool(_IN_ORDER.search(step.text))
        for draft in self._drafts_of(step):
            draft.needs = {made[-1]} if ordered and made else set(self._needs)
            draft.unclear += unclear
            if self._branch:
                draft.branch = (self._branch.source, self._branch.finding)
                draft.slots.update(
                    {"condition": self._branch.finding} if self._branch.finding else {}
                )
            self.drafts.append(draft)
            made.append(len(self.drafts) - 1)
            self._carry(draft, before=len(self.drafts) - 1)
        if len(made) > 1:
            # Said by the order of the tasks, not inside each: one after another, side by side.
            for place in made:
                if ordered or self.drafts[place].slots.get("strategy") == "parallel":
                    self.drafts[place].slots.pop("strategy", None)
        self._group += made
        self._recent = made
        return made

    def _unclear(self, step: Step, *, checked: bool) -> tuple[str, ...]:
        """What a step says that no task holds: then it is asked about, never guessed."""
        intent = step.guess.intent
        found: list[str] = ["intent"] if step.unread else []
        if intent not in CHANGES:
            return tuple(found)
        orphan = step.mark == "else" and self._branch is None
        if (step.condition and not checked) or orphan or _CHOICE.search(step.text):
            found.append("condition")
        steps_back = _STEPS_BACK.search(step.text) if intent == "rollback_release" else None
        if steps_back and self.tagger.within(steps_back[0])[0].value != 1:
            found.append("revision")
        spans = self.tagger.within(step.text)
        kinds = {span.kind for span in spans}
        doubted = in_doubt(step.text, self.tagger.text, spans)
        # "don't page me about staging": the words of leaving alone are what is asked.
        found += [slot for slot in doubted if slot != "env" or intent != "silence_alert"]
        if intent in _DONE_AT_ONCE and kinds & {"hor", "dur", "clock"}:
            found.append("schedule")
        return tuple(found)

    def _place(self, step: Step) -> None:
        """Set what the step waits for, from the word that joins it to the ones before."""
        verifying = (
            step.guess.intent == "check_health"
            and step.mark in {"and", "comma", "also"}
            and bool(self.drafts)
            and self.drafts[-1].intent in CHANGES
            and (bool(_VERIFIES.search(step.text)) or not self._names_a_place(step))
        )
        if self._follows(step):
            self._needs, self._branch = {len(self.drafts) - 1}, None
        elif step.mark == "then" or verifying:
            self._after_all(step)
            self._branch = self._confirmed(step) or self._branch
        elif step.mark == "else" and (self._branch or self._answerable()):
            self._branch = self._branch or _Branch(
                source=len(self.drafts) - 1, finding=POSITIVE[self.drafts[-1].intent]
            )
            finding = COMPLEMENT.get(self._branch.finding or "")
            self._branch = _Branch(source=self._branch.source, finding=finding)
            self._needs = self._needs if self._branch.source in self._needs else set()
            self._needs |= {self._branch.source}
        elif step.mark == "else" and self.drafts and self.drafts[-1].intent in CHANGES:
            # "restart it, or else roll back": what else there is to do when it did not help.
            self._branch = _Branch(source=len(self.drafts) - 1, finding="failure")
            self._needs = {self._branch.source}
        elif step.mark != "and":
            self._branch = None
            self._needs = set() if step.mark == "stop" else set(self._base)
            self._base = set(self._needs)

    def _after_all(self, step: Step) -> None:
        """Wait for all that stands before, or be the other branch of what may have failed."""
        branch = self.drafts[-1].branch if self.drafts else None
        if step.succeeded and branch and branch[1] == "failure":
            self._needs, self._branch = {branch[0]}, _Branch(source=branch[0], finding=None)
            return
        self._needs = self._base = set(self._group) or self._needs
        well = step.succeeded and bool(self.drafts)
        self._branch = _Branch(source=len(self.drafts) - 1, finding=None) if well else None
        self._group = []

    def _names_a_place(self, step: Step) -> bool:
        return bool({span.kind for span in self.tagger.within(step.text)} & _PLACES)

    def _confirmed(self, step: Step) -> _Branch | None:
        """`confirm that a is healthy, then restart b`: not when it is found to be ill."""
        if step.guess.intent not in CHANGES or len(self._needs) != 1:
            return None
        (source,) = self._needs
        checked = self.drafts[source]
        sure = checked.intent == "check_health" and _CONFIRMS.search(checked.text)
        return _Branch(source=source, finding="healthy") if sure else None

    def _follows(self, step: Step) -> bool:
        """Whether "and" means "then": work on what was drained, a report on what was diagnosed."""
        if step.mark != "and" or not self.drafts or step.condition:
            return False
        pair = (self.drafts[-1].intent, step.guess.intent)
        named = {span.kind for span in self.tagger.within(step.text)} & {"svc", "host", "grp"}
        return pair in _ONE_AFTER_THE_OTHER and not named

    def _answerable(self) -> bool:
        """Whether the task before answers yes or no: `is kafka healthy? If not, ...`."""
        if not self.drafts or self.drafts[-1].intent not in POSITIVE:
            return False
        measured = self.drafts[-1].intent in {"query_metric", "forecast_metric"}
        return not measured or "threshold" in self.drafts[-1].slots

    def _meet(self, step: Step, later: list[Step]) -> Finding | None:
        """Turn the condition of a step into a task to wait for and what it must have found."""
        finding = finding_of(step.condition, self.tagger, self.drafts)
        told = finding and not finding.check and self.drafts[finding.source].intent in _UNMEASURED
        if finding is None or (told and step.guess.intent in CHANGES):
            if self.drafts and step.guess.intent not in CHANGES:
                # What only looks may wait for a finding that no word of ours names.
                self._needs = {len(self.drafts) - 1}
            return None
        source = finding.source
        if finding.check:
            check = Draft(
                intent=finding.check,
                slots=self._read(finding.check, step.condition),
                needs=set(self._needs) | self._changed_before(finding),
                text=step.condition,
            )
            self.drafts.append(check)
            source = len(self.drafts) - 1
            self._carry(check, before=source, after=[step.text, *(one.text for one in later)])
        elif finding.threshold:
            self.drafts[source].slots.setdefault("threshold", finding.threshold)
        found = COMPLEMENT.get(finding.found or "") if step.negated else finding.found
        self._branch = _Branch(source=source, finding=found)
        self._needs = self._all_of(source) if _ALL_OF.search(step.condition) else {source}
        self._group = [*self._group, source] if finding.check else self._group
        if step.mark == "then":
            self._group = [source]
        return finding

    def _all_of(self, source: int) -> set[int]:
        """`once both are healthy`: the finding of every task like this one, just before."""
        found = {source}
        for place in range(source - 1, -1, -1):
            like, own = self.drafts[place], self.drafts[source]
            if like.intent != own.intent or like.needs != own.needs:
                break
            found.add(place)
        return found

    def _changed_before(self, finding: Finding) -> set[int]:
        """A change whose outcome the check looks at: "roll it back; if it is still down, ..."."""
        last = len(self.drafts) - 1
        after = finding.after_change and last >= 0 and self.drafts[last].intent in CHANGES
        return {last} if after else set()

    def _drafts_of(self, step: Step) -> list[Draft]:
        intent = step.guess.intent
        if parts := self._apart(step):
            return [draft for part in parts for draft in self._drafts_of(part)]
        slots = self._read(intent, step.text)
        if intent == "compare_config":
            self._compared(step, slots)
        options = [self._options(intent, step.text, slot) for slot in _KINDS if slot in slots]
        if not slots.keys() & {"service", "host", "targets"} and _PLURAL.search(
            self.tagger.raw(step.text)
        ):
            both = [("service", name) for name in self._services_meant()]
            options += [both] if both else []
        options += self._sides(step) or self._one_by_one(step, slots)
        unknown = tuple(
            name
            for span in self.tagger.within(step.text)
            if span.kind == "unknown"
            for name in (span.value if isinstance(span.value, tuple) else (str(span.value),))
        )
        made = [
            Draft(intent=intent, slots={**slots, **dict(chosen)}, text=step.text, unknown=unknown)
            for chosen in itertools.product(*options)
        ]
        each_its_extreme(step.text, self.tagger, made)
        return made

    def _apart(self, step: Step) -> list[Step]:
        """`a is slow and b keeps crashing; find out why`: two problems, a diagnosis each."""
        if step.guess.intent != "diagnose_incident" or _CAUSED.search(self.tagger.text):
            return []
        tags = [
            tag
            for tag in TAG.finditer(step.text)
            if self.tagger.span(tag[0]).kind in {"svc", "host", "grp"}
        ]
        starts = [tag.start() for tag in tags]
        whole = self.tagger.text
        if not all(
            _BETWEEN.search(whole[whole.find(one[0]) : whole.find(other[0])])
            for one, other in itertools.pairwise(tags)
        ):
            return []
        pieces = [
            step.text[start:end] for start, end in itertools.pairwise([*starts, len(step.text)])
        ]
        told = [self._read(step.guess.intent, piece).get("symptom") for piece in pieces]
        if len(pieces) < 2 or not all(told):  # noqa: PLR2004 - two problems at least
            return []
        return [replace(step, text=piece) for piece in pieces]

    def _compared(self, step: Step, slots: Slots) -> None:
        """What "their configs" are the configs of; what is compared is no service besides."""
        if "targets" not in slots and _PLURAL.search(self.tagger.raw(step.text)):
            hosts = self.drafts[-1].slots.get("host") if self.drafts else None
            pair = self._services_before() or (hosts if isinstance(hosts, tuple) else ())
            if len(pair) == 2:  # noqa: PLR2004 - a comparison has two sides
                slots["targets"] = tuple(pair)
        targets = slots.get("targets", ())
        if isinstance(targets, tuple) and slots.get("service") in targets:
            del slots["service"]

    def _sides(self, step: Step) -> list[list[tuple[str, str]]]:
        """`on both sides`: what the comparison before compares, a task for each."""
        compared = self.drafts[-1] if self.drafts else None
        if compared is None or compared.intent != "compare_config" or not _SIDES.search(step.text):
            return []
        sides = compared.slots.get("targets")
        if not isinstance(sides, tuple):
            return []
        kinds = {span.value: span.kind for span in self.tagger.spans}
        slot = next((s for s, k in _KINDS.items() if kinds.get(sides[0]) in k), "host")
        about = compared.slots.get("service")
        shared = [[("service", about)]] if isinstance(about, str) else []
        return [*shared, [(slot, str(side)) for side in sides]]

    def _one_by_one(self, step: Step, slots: Slots) -> list[list[tuple[str, str]]]:
        """Hosts in order, where no slot of the task can say so: a task each."""
        hosts = slots.get("host")
        told = "strategy" in self.schemas[step.guess.intent].slots
        if told or not isinstance(hosts, tuple) or not _IN_ORDER.search(step.text):
            return []
        return [[("host", host) for host in hosts]]

    def _services_meant(self) -> list[str]:
        """What "both" and "they" mean: also what was changed one after the other."""
        near = self._services_before()
        alike: list[str] = []
        for draft in reversed(self.drafts):
            name = draft.slots.get("service")
            if draft.intent != self.drafts[-1].intent or not isinstance(name, str):
                break
            alike.append(name)
        chain = list(dict.fromkeys(reversed(alike)))
        return near if len(near) > 1 or not chain else chain

    def _services_before(self) -> list[str]:
        """The services of the tasks that belong together just before."""
        places = sorted(self._needs) if len(self._needs) > 1 else self._recent
        near = [self.drafts[place].slots.get("service") for place in places]
        return list(dict.fromkeys(name for name in near if isinstance(name, str)))

    def _options(self, intent: str, text: str, slot: str) -> list[tuple[str, str]]:
        words = Words.of(intent, text, self.tagger)
        names = words.every(*_KINDS[slot])
        if intent in _ONE_SUBJECT and slot != "metric":
            names = first_list(text, _KINDS[slot], self.tagger) or names[:1]
        return [(slot, name) for name in names]

    def _read(self, intent: str, text: str) -> Slots:
        words = Words.of(intent, text, self.tagger)
        return read_slots(words, self.schemas[intent].slots, self.tagger)

    def _carry(
        self, draft: Draft, *, before: int | None = None, after: list[str] | None = None
    ) -> None:
        """Fill what a task needs and does not name from what was named before, then after."""
        schema = self.schemas[draft.intent]
        wanted = self._wanted(draft)
        if not wanted or self._ambiguous(draft, wanted):
            return
        if draft.intent in CHANGES and names_what_is_unknown(draft.text):
            draft.unclear += ("service",)
            return
        sources, kind = self._sources(draft, before, after or []), kind_meant(draft.text)
        if "alert" in schema.slots and _THE_ALERT.search(draft.text):
            sources = [one for one in sources if "alert" in one] or sources
        for source in sources:
            if taken := taken_over(
                source, wanted, schema, placed="alert" in draft.slots, kind=kind
            ):
                draft.slots.update({k: v for k, v in taken.items() if k not in draft.slots})
                return

    def _wanted(self, draft: Draft) -> tuple[tuple[str, ...], ...]:
        """What a task must take over: open needs, the host of "there", the target of "its"."""
        schema = self.schemas[draft.intent]
        wanted = schema.open_needs(draft.slots)
        if _PLACE.search(draft.text) and not _WHERE_ELSE & draft.slots.keys():
            wanted = (*wanted, tuple(slot for slot in _WHERE if slot in schema.slots))
        elif _PLACE.search(draft.text) and "host" in schema.slots and "host" not in draft.slots:
            wanted = (*wanted, ("host", "host_group"))
        named = any(name in draft.slots for name in (*TARGETS, "alert"))
        named = named or "user" in draft.slots or self._compares_names(draft)
        if "alert" in draft.slots and _ITS_ALERT.search(draft.text):
            named = any(name in draft.slots for name in TARGETS)
        looks_there = bool(_PLACE.search(draft.text)) and draft.intent not in CHANGES
        if not named and (looks_there or _ITS.search(draft.text)):
            wanted = (*wanted, TARGETS)
        return wanted

    def _compares_names(self, draft: Draft) -> bool:
        """Whether the two sides of a comparison are things with configurations of their own."""
        sides = draft.slots.get("targets", ())
        known = sides if isinstance(sides, tuple) else ()
        kinds = {span.kind for span in self.tagger.spans if span.value in known}
        return bool(kinds & {"svc", "host", "name"})

    def _ambiguous(self, draft: Draft, wanted: tuple[tuple[str, ...], ...]) -> bool:
        """Whether a change could mean any of several services just spoken of: then ask."""
        if draft.intent in CHANGES and ("service",) in wanted and len(self._services_before()) > 1:
            draft.unclear = ("service",)
        return "service" in draft.unclear

    def _sources(
        self, draft: Draft, before: int | None, after: list[str]
    ) -> list[Mapping[str, object]]:
        """Where targets may be taken from, nearest first."""
        place = self.drafts.index(draft) if before is None else before
        checked = [self.drafts[need].slots for need in sorted(draft.needs) if need < place]
        if draft.intent == "diagnose_incident" and "condition" in draft.slots and checked:
            return [*checked, self.drafts[place - 1].slots]
        sources: list[Mapping[str, object]] = [one.slots for one in reversed(self.drafts[:place])]
        if before is not None:
            return sources + [self._read(draft.intent, text) for text in after]
        later = [one.slots for one in self.drafts[place + 1 :]]
        return [*sources, *later, *self.mentioned]

    def _share_times(self, before: list[int], made: list[int], step: Step) -> None:
        """A time said once in a list holds for all of it, if it stands before or at the end."""
        first = self.drafts[before[0]].slots
        own = self.drafts[made[0]].slots if made else {}
        at_end = bool(_ENDS_IN_TIME.search(step.text))
        for name in ("window", "start", "end"):
            if name in first and not own.keys() & {"window", "start"}:
                self._give(made, name, first[name])
            elif name in own and at_end and not first.keys() & {"window", "start"}:
                self._give(before, name, own[name])

    def _share_agg(self, listed: list[int], step: Step) -> None:
        """`the peak of cpu and memory`, `CPU、内存的峰值`: an end of the list says it for all."""
        own = [place for place in listed if "agg" in self.drafts[place].slots]
        if own and len({self._subject(place) for place in listed} - {()}) > 1:
            return
        at_end = own == listed[-1:] and _ENDS_IN_AGG.search(step.text)
        if at_end or own == listed[:1]:
            self._give(listed, "agg", self.drafts[own[0]].slots["agg"])

    def _subject(self, place: int) -> tuple[str, ...]:
        """What the words of a task name it to be about; () where they name nothing."""
        named = self.tagger.within(self.drafts[place].text)
        return tuple(span.words for span in named if span.kind in {"svc", "host", "grp", "ns"})

    def _share_manner(self, before: list[int], made: list[int]) -> None:
        """Say once how it is done: "clean logs older than 7 days on a, then on b"."""
        first = self.drafts[before[0]].slots
        for name in first.keys() - {*TARGETS, "alert", "metric", "window", "start", "end"}:
            for place in made:
                self.drafts[place].slots.setdefault(name, first[name])

    def _give(self, places: list[int], name: str, value: object) -> None:
        for place in places:
            draft = self.drafts[place]
            if name in self.schemas[draft.intent].slots and isinstance(value, str):
                draft.slots.setdefault(name, value)


_WHERE = ("host", "host_group", "namespace", "env")
_WHERE_ELSE = frozenset(_WHERE)
# "there", "on it": the host that was spoken of.
_PLACE = phrase("compose", "place")
_ITS = phrase("compose", "its")
_ALL_OF = phrase("compose", "all_of")
_BETWEEN = phrase("compose", "between")
_CAUSED = phrase("compose", "caused")
_ITS_ALERT = phrase("compose", "its_alert")
_PLURAL = phrase("compose", "plural")
# "two versions back": which one that is cannot be known from the words.
_THE_ALERT = phrase("compose", "the_alert")
_STEPS_BACK = phrase("compose", "steps_back")
# "whichever is unhealthy": a choice that only the task before can make.
_CHOICE = phrase("compose", "choice")
_ENDS_IN_TIME = phrase("compose", "ends_in_time")
_ENDS_IN_AGG = phrase("compose", "ends_in_agg")
_SIDES = phrase("compose", "sides")
_CONFIRMS = phrase("compose", "confirms")
