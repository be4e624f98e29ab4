"""Weaving: segments -> steps; pieces without a request of their own join their neighbours."""

from __future__ import annotations

from dataclasses import replace

from opsmith.parse.evidence import CHANGES, Guess, guess
from opsmith.parse.lexicon import STRONG, phrase, values
from opsmith.parse.order import strongest
from opsmith.parse.pieces import Segment, Step
from opsmith.parse.spans import Tagger, pattern
from opsmith.parse.told import judged_again, only_states, tells

CONDITIONAL = frozenset({"if", "unless", "wait"})
_FIRST_OF_ALL = pattern("先")
_LIST_FIRST = pattern(r"\W*(?:and |the |[和与及])*(?:<thing>|<alert>)")
_ONLY_NAMES = pattern(
    r"\W*(?:(?:on|for|at|in|the|same|also|to|do|run|repeat|it|that|this|thing|[对给在把到去也])\W*)*"
    r"(?:(?:<thing>|<alert>)(?:\W|and|too|as well|second|third|next|last|then|和|与|、"
    r"|上(?:面)?的?|的|也|同样|一样|再|执行|运行|做|跑|来|照做|[一同]遍|[一同]次|一下)*)+"
)


def woven(found: list[Segment], tagger: Tagger) -> list[Step]:
    """Join pieces without a request of their own to their neighbours; hang conditions on."""
    weave = _Weave(tagger)
    for place, segment in enumerate(found):
        weave.take(segment, trails=_trails(found, place))
    return weave.finish()


def _trails(found: list[Segment], place: int) -> bool:
    """Whether a condition follows what it is for: "restart it if it is down"."""
    segment = found[place]
    if place == 0 or segment.has("stop") or not segment.marks:
        return False
    after = found[place + 1] if place + 1 < len(found) else None
    if after is None or after.has("else", "stop"):
        return True
    if segment.has("wait"):
        return False
    return segment.marks[0] in CONDITIONAL and not after.has("so", "case", "comma", "then")


class _Weave:
    """Steps being made from segments, one after another."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger
        self.made: list[Step] = []
        self.lead = ""
        self.condition = ""
        self.negated = False
        self.idle: tuple[str, bool] | None = None
        self.marks: tuple[str, ...] = ()

    def take(self, segment: Segment, *, trails: bool) -> None:
        """Make a step of the segment, or join it to one, or keep it for the next."""
        marks, self.marks = (*self.marks, *segment.marks), ()
        if self.lead and segment.has("else", *CONDITIONAL):
            self._settle()
        if segment.has(*CONDITIONAL):
            self._take_condition(segment, marks, trails=trails)
        elif segment.has("because") and self.made:
            return
        elif step := self._step(segment, marks):
            self.made.append(self._with_statement(step))
            self.lead, self.condition, self.negated, self.idle = "", "", False, None
        elif self.made and not self.condition:
            more = self._with_more(self.made[-1], segment.text)
            led = segment.has("before_next")
            self.made[-1] = replace(more, mark="before_next") if led else more
        else:
            self.lead = f"{self.lead} {segment.text}".strip()
            self.marks = marks

    def _settle(self) -> None:
        """Close a condition that no task followed: "if it is high, leave it; otherwise ..."."""
        if not self.condition:
            return
        if _NOTHING.search(self.lead):
            self.idle = (self.condition, self.negated)
        elif self.made:
            self.made[-1] = replace(self.made[-1], unread=self.lead)
        self.lead, self.condition, self.negated = "", "", False

    def _with_statement(self, step: Step) -> Step:
        """`latency is up. Investigate why`: the first sentence only says what to look into."""
        last = self.made[-1] if self.made else None
        if last is None or last.condition or not only_states(last, step):
            return step
        self.made.pop()
        if step.guess.intent in CHANGES and self._why(last.text, step.text):
            return replace(step, mark=last.mark)
        return replace(step, text=f"{last.text} , {step.text}", mark=last.mark)

    def _with_more(self, last: Step, more: str) -> Step:
        """What has no request of its own says more about a step; a change gets no target by it."""
        if last.guess.intent not in CHANGES or not self._why(more, last.text):
            return replace(last, text=f"{last.text} , {more}")
        if tells(more):
            return last
        listed = _LIST_FIRST.match(more)
        return (
            replace(last, text=f"{last.text} , {more}") if listed else replace(last, unread=more)
        )

    def _why(self, told: str, asked: str) -> bool:
        """Whether what is told of one service is only why another is changed."""
        for kind in ("svc", "host"):
            before = {str(s.value) for s in self.tagger.within(told) if s.kind == kind}
            named = {str(s.value) for s in self.tagger.within(asked) if s.kind == kind}
            if named and before - named:
                return not _ONLY_NAMES.fullmatch(told)
        return False

    def finish(self) -> list[Step]:
        """The steps; a text that only states something is read as a whole."""
        led_to = self.lead if self.condition and not _NOTHING.search(self.lead) else ""
        rest = f"{self.lead} {self.condition}".strip()
        if not self.made and rest and (whole := guess(rest)):
            return [Step(text=rest, guess=whole, unread=led_to)]
        if self.made and led_to:
            self.made[-1] = replace(self.made[-1], unread=led_to)
        elif self.made and self.lead:
            self.made[-1] = replace(self.made[-1], text=f"{self.made[-1].text} , {self.lead}")
        return [judged_again(step) for step in self.made]

    def _take_condition(self, segment: Segment, marks: tuple[str, ...], *, trails: bool) -> None:
        if trails and self.made and segment.has("wait"):
            check = Guess(intent="check_health", points=STRONG)
            self.made.append(Step(text=segment.text, guess=check, mark="then"))
            return
        if trails and self.made and self._asks_what_if(segment):
            last = self.made[-1]
            self.made[-1] = replace(last, text=f"{last.text} , {segment.text}")
            return
        if trails and self.made and _TOLD.search(segment.text):
            last = self.made[-1]
            self.made[-1] = replace(last, text=f"{last.text} , {segment.text}")
            return
        if trails and self.made:
            self.made[-1] = replace(
                self.made[-1], condition=segment.text, negated=segment.has("unless")
            )
            return
        # "X 要是 ... 就": what is spoken of stands before the "if".
        topic, self.lead = (self.lead, "") if not self.made else ("", self.lead)
        self.condition, self.negated = f"{topic} {segment.text}".strip(), segment.has("unless")
        self.marks = tuple(mark for mark in marks if mark not in CONDITIONAL)

    def _step(self, segment: Segment, marks: tuple[str, ...]) -> Step | None:
        asked, shares = segment.guess, False
        last = self.made[-1] if self.made else None
        if last and self._repeats_complement(segment, last):
            asked, shares = last.guess, True
        elif (
            asked is None
            or asked.stated
            or (last and not self.condition and self._continues(segment, asked, last))
        ):
            return None
        elif last is not None:
            shares = not asked.strong or self._one_more(segment, asked, last)
        if asked.intent in CHANGES and self._why(self.lead, segment.text):
            self.lead = ""
        text = f"{self.lead} {segment.text}".strip()
        asks_about = asked.intent == "show_topology" and not self._kinds(text) & _LEADING_KINDS
        if self.condition and asks_about and not self._measured():
            # "if it went down, who would suffer": asked about, not waited for.
            text, self.condition = f"{text} , {self.condition}", ""
        mark, condition, negated = self._joint(marks, asked), self.condition, self.negated
        if mark == "else" and self.idle and not condition:
            mark, condition, negated = "", self.idle[0], not self.idle[1]
        return Step(
            text=text,
            guess=asked,
            mark=mark,
            condition=condition,
            negated=negated,
            shares=shares,
            succeeded="success" in marks,
        )

    def _joint(self, marks: tuple[str, ...], asked: Guess) -> str:
        """How it hangs on the steps before; 再看看 gives what only looks no order."""
        mark = strongest(marks)
        looks = not {asked.intent, *(step.guess.intent for step in self.made)} & CHANGES
        if (
            mark == "then"
            and "more" in marks
            and looks
            and not _FIRST_OF_ALL.search(self.tagger.text)
        ):
            return "also"
        return mark

    def _one_more(self, segment: Segment, asked: Guess, last: Step) -> bool:
        """Whether it is one more figure of what the step before measures."""
        same = asked.intent == last.guess.intent == "query_metric" and segment.has("and")
        return same and self._kinds(segment.text) <= {"metric"}

    def _lists_more(self, segment: Segment, asked: Guess, last: Step) -> bool:
        """Whether each list has its time: "this week's drains and today's restarts"."""
        both = asked.intent == last.guess.intent == "list_tasks" and segment.has("and")
        return both and "win" in self._kinds(segment.text) & self._kinds(last.text)

    def _asks_what_if(self, segment: Segment) -> bool:
        """`who gets hurt if a goes away`: asked about, not waited for."""
        last = self.made[-1]
        named = self._kinds(last.text) & _LEADING_KINDS
        topology = last.guess.intent == "show_topology" and not named
        return topology and not {"thr", "metric"} & self._kinds(segment.text)

    def _measured(self) -> bool:
        """Whether the condition is one that a figure decides."""
        return bool({"thr", "metric"} & self._kinds(self.condition))

    def _continues(self, segment: Segment, asked: Guess, last: Step) -> bool:
        """Whether a segment goes on with the step before instead of asking for something new."""
        apart = self._looks_elsewhere(segment, last) or self._lists_more(segment, asked, last)
        if segment.has("else", "each") or apart or self._other_status(segment, last):
            return False
        if segment.has("also") and asked.intent in _LOOKS and asked.intent != last.guess.intent:
            return last.guess.intent in CHANGES and not asked.strong
        if not asked.strong and (last.guess.intent in CHANGES or asked.intent == "explain_alert"):
            return not segment.has("then", "before_next")
        if asked.intent != last.guess.intent:
            if asked.intent in CHANGES and not self._kinds(segment.text):
                # "... restart it ...; after the restart": spoken of again, not asked for twice.
                return any(step.guess.intent == asked.intent for step in self.made)
            return not asked.strong and last.guess.intent in _GATHERS
        kinds = self._kinds(segment.text)
        bare = not kinds - _FIGURES or not self._kinds(last.text) - _FIGURES
        # "search a for b, last 50 lines": more about the same search.
        sought = {"num", "quote"} - (self._kinds(last.text) & {"quote"})
        bare = bare or (asked.intent == "search_logs" and kinds <= sought)
        return bare or not asked.strong or asked.intent in _GATHERS

    def _other_status(self, segment: Segment, last: Step) -> bool:
        """Whether other tasks are asked for: "which are pending, and which succeeded"."""
        if last.guess.intent != "list_tasks":
            return False
        said = [
            {status for status, one in values()["status"].items() if one.search(text)}
            for text in (segment.text, last.text)
        ]
        return all(said) and not said[0] & said[1]

    def _looks_elsewhere(self, segment: Segment, last: Step) -> bool:
        """Whether what is looked at stands beside a change: "drain a, meanwhile the disk of b"."""
        asked = segment.guess
        if asked is None or last.guess.intent not in CHANGES or asked.intent in CHANGES:
            return False
        if asked.stated or _OBJECT_OF.get(asked.intent) == last.guess.intent:
            return False
        named = self._targets(segment.text)
        return bool(named) and not named & self._targets(last.text)

    def _targets(self, text: str) -> set[str]:
        spans = self.tagger.within(text)
        return {str(span.value) for span in spans if span.kind in _PLACES}

    def _repeats_complement(self, segment: Segment, last: Step) -> bool:
        """`scale a to 3 and b to 5`: no verb, but the kinds of names and numbers of the last."""
        kinds, before = self._kinds(segment.text) - _TIMES, self._kinds(last.text) - _TIMES
        if "metric" in kinds and before & _HOLDERS:
            # "the lag of a and the load of host b": a figure of another kind of target.
            before |= kinds & _HOLDERS
        verbless = segment.guess is None or not segment.guess.strong
        # "restart a, then b": one name is enough where it is said to come next.
        next_one = segment.has("then") or last.mark == "after"
        enough = 0 if next_one and _ONLY_NAMES.fullmatch(segment.text) else 1
        return (
            verbless
            and not self._looks_elsewhere(segment, last)
            and len(kinds) > (0 if segment.has("else") else enough)
            and kinds <= before
            and (segment.has("else") or bool(kinds & _LEADING_KINDS))
            and last.guess.intent != "compare_config"
        )

    def _kinds(self, text: str) -> set[str]:
        return {span.kind for span in self.tagger.within(text)}


# What a condition may lead to without any task: "let me know", "leave it".
_NOTHING = phrase("clauses", "nothing")
_TOLD = phrase("clauses", "told")
_LOOKS = frozenset({"query_metric", "search_logs", "show_topology", "check_health"})
# Intents that take in whatever follows without a verb of its own.
_GATHERS = frozenset({"diagnose_incident", "create_report", "compare_config", "list_tasks"})
_TIMES = {"win", "hor", "dur", "age", "clock"}
# What says more about a task, and never what it is done to.
_FIGURES = {"thr", "win", "hor", "clock", "age"}
_PLACES = frozenset({"svc", "host", "grp", "name"})
# What is looked at and the change that is done to it: "clean the logs of a and the logs of b".
_OBJECT_OF = {"search_logs": "clean_logs", "explain_alert": "silence_alert"}
_HOLDERS = {"svc", "host", "grp", "ns"}
_LEADING_KINDS = frozenset({"svc", "host", "grp", "alert", "metric", "name"})
