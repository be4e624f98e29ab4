"""Clauses: a tagged text -> steps in order, each with how it hangs on the ones before."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from opsmith.parse.evidence import CHANGES, Guess, guess
from opsmith.parse.lexicon import STRONG, joints, phrase
from opsmith.parse.order import in_order, strongest
from opsmith.parse.pieces import Segment, Step
from opsmith.parse.spans import Tagger, pattern
from opsmith.parse.told import judged_again, only_states, tells

_CONDITIONAL = frozenset({"if", "unless", "wait"})


def segments(text: str) -> list[Segment]:
    """Cut a tagged text at every joint; too finely, `steps` joins again."""
    found: list[Segment] = []
    marks: list[str] = []
    place = 0
    text = _IF_SO.sub(r"\1, ", text)
    # "restart it, but show its logs first": said last, done first.
    text = _FIRST_AT_END.sub(r", but first \1", text)
    for match in _joint().finditer(text):
        if _in_list(text, match):
            continue
        piece = _BUT.sub("", text[place : match.start()].strip())
        if piece:
            found.append(Segment(text=piece, marks=tuple(marks)))
            marks = []
        marks.append((match.lastgroup or "comma").partition("_")[0])
        if "?" in match[0]:
            marks.append("asked")
        if _MORE.match(text, match.start()):
            marks.append("more")
        place = match.end()
    if text[place:].strip():
        found.append(Segment(text=_BUT.sub("", text[place:].strip()), marks=tuple(marks)))
    elif "then" in marks and len(found) > 1 and not found[-1].has("stop"):
        # "silence it and drain it afterwards": said at the end, meant before.
        found[-1] = replace(found[-1], marks=(*found[-1].marks, "then"))
    whole = _names_back(_with_suffixes([found[0], *map(_said_first, found[1:])] if found else []))
    return [replace(segment, guess=guess(segment.text)) for segment in whole]


def _said_first(segment: Segment) -> Segment:
    """`restart a, but run b first`: said behind, done before."""
    text = _FIRST.sub("", segment.text)
    if text == segment.text or not text or segment.has(*_CONDITIONAL, "before", "after"):
        return segment
    return replace(segment, text=text, marks=(*segment.marks, "after"))


def _names_back(found: list[Segment]) -> list[Segment]:
    """Give a list of names back that "and" cut: `after draining a | and | b run ...`."""
    ready: list[Segment] = []
    for segment in found:
        split = _NAME_THEN_VERB.match(segment.text)
        last = ready[-1] if ready else None
        listed = segment.has("and", "comma") and last and last.has("before", "after", "if")
        if split and last and listed and last.text[-2:-1] == segment.text[:1]:
            ready[-1] = replace(last, text=f"{last.text} , {split[1]}")
            ready.append(Segment(text=segment.text[split.end() :].strip(), marks=("comma",)))
        else:
            ready.append(segment)
    return ready


def _in_list(text: str, match: re.Match[str]) -> bool:
    """Whether "and" stands between two names of one kind: a list, not a joint."""
    before, after = text[max(0, match.start() - 2) : match.start()], text[match.end() :][:2]
    if not (match.lastgroup or "").startswith("and") or not (before and after):
        return False
    return bool(_NAME.fullmatch(before) and _NAME.fullmatch(after)) and before[0] == after[0]


@cache
def _joint() -> re.Pattern[str]:
    # One name a group, so that a match knows its mark.
    sources = [
        f"(?P<{mark}_{place}>{c.pattern})" for place, (mark, c) in enumerate(joints().marks)
    ]
    return re.compile("|".join(sources), re.IGNORECASE | re.ASCII)


def _with_suffixes(found: list[Segment]) -> list[Segment]:
    """Chinese says "before", "after" and "if" at the end of the clause."""
    ready: list[Segment] = []
    carry: tuple[str, ...] = ()
    for segment in found:
        marks = (*segment.marks, *carry)
        if "prior" in marks and ready:
            ready[-1] = replace(ready[-1], marks=(*ready[-1].marks, "before_next"))
        carry, text = (), segment.text
        for mark, compiled in joints().suffix.items():
            match = compiled.search(text)
            asked = guess(text[: match.start()]) if match else None
            if match and match.start() and (mark == "if" or asked):
                waits = text[0] in "等待" and asked is not None and asked.intent == "check_health"
                text = re.sub("^(?:在|等|当|待)", "", text[: match.start()])
                marks, carry = _suffixed("wait" if waits else mark, marks)
                break
        ready.append(Segment(text=text.strip(), marks=marks))
    return [segment for segment in ready if segment.text]


def _suffixed(mark: str, marks: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if mark == "after":
        return marks, ("then",)
    if mark == "wait":
        return (*marks, "if"), ("case",)
    return (*marks, "before_next" if mark == "before" else mark), ()


def steps(text: str, tagger: Tagger) -> list[Step]:
    """The steps of a tagged text, in the order they are to be done."""
    return in_order(_joined(_conditions_split(segments(text)), tagger))


_NAME = pattern("<thing>|<alert>")
_LIMIT = pattern("<thr>")
_METRIC = pattern("<metric>")
# "if so wipe its logs": the condition ends there, comma or none.
_IF_SO = pattern(r"\b(if (?:so|yes))\b ?(?![,;:])")
# "再看看": one more thing to look at, in no order.
_MORE = pattern("[,;。]? ?再(?:去|帮我)?(?:看[看下一]|来)")
_FIRST_OF_ALL = pattern("先")
_ONLY_NAMES = pattern(
    r"\W*(?:(?:on|for|at|in|the|same|also|to|do|run|repeat|it|that|this|thing|[对给在把到去也])\W*)*"
    r"(?:(?:<thing>|<alert>)(?:\W|and|too|as well|和|与|、|上(?:面)?的?|的"
    r"|也|同样|一样|再|执行|运行|做|跑|来|照做|[一同]遍|[一同]次|一下)*)+"
)
_FOUND_GOOD = phrase("clauses", "found_good")
_FIRST_AT_END = phrase("clauses", "first_at_end")
_ACTION = phrase("clauses", "action")
_BEFORE_ACTION = phrase("clauses", "before_action")
_STILL_FAILING = phrase("clauses", "still_failing")
_CONDITION_END = phrase("clauses", "condition_end")
_NAME_THEN_VERB = phrase("clauses", "name_then_verb")
_LIST_FIRST = pattern(r"\W*(?:and |the |[和与及])*(?:<thing>|<alert>)")
_BUT = pattern(r"^(?:but|though|however)\b,? ?(?=\w)")
_FIRST = phrase("clauses", "first")
_GERUND = phrase("clauses", "gerund")


def _conditions_split(found: list[Segment]) -> list[Segment]:
    """Part a condition from what it asks for when no comma does: "if it's down restart it"."""
    ready: list[Segment] = []
    for segment in found:
        if segment.has("before", "after") and (pair := _gerund_split(segment)):
            ready += pair
            continue
        end = _CONDITION_END.search(segment.text)
        start = end.end() if end else 1
        action = _ACTION.search(segment.text, start) if segment.has(*_CONDITIONAL) else None
        if action and (asked := guess(segment.text[action.start() :])) and asked.strong:
            led = _BEFORE_ACTION.search(segment.text, start, action.start())
            cut = led.start() if led else action.start()
            head, tail = segment.text[:cut], segment.text[cut:]
            ready.append(replace(segment, text=head.strip(), guess=guess(head)))
            ready.append(Segment(text=tail.strip(), marks=("case",), guess=asked))
        else:
            ready.append(segment)
    return [_as_condition(ready, place) for place in range(len(ready))]


def _gerund_split(segment: Segment) -> list[Segment]:
    """`before draining a silence b`: a command follows what is only spoken of; else nothing."""
    spoken = _GERUND.match(segment.text)
    action = _ACTION.search(segment.text, spoken.end()) if spoken else None
    if action is None:
        return []
    head, tail = segment.text[: action.start()].strip(), segment.text[action.start() :].strip()
    first, second = guess(head), guess(tail)
    if not (first and first.strong and second and second.strong):
        return []
    return [
        replace(segment, text=head, guess=first),
        Segment(text=tail, marks=("comma",), guess=second),
    ]


def _as_condition(found: list[Segment], place: int) -> Segment:
    """In Chinese 就 alone makes what stands before it a condition: "不健康就重启"."""
    segment = found[place]
    follows = found[place + 1] if place + 1 < len(found) else None
    if follows is None:
        return segment
    waits = segment.text[:1] in {"等", "待"} and _asks(segment, "check_health")
    if waits and follows.has("then"):
        return replace(segment, text=segment.text[1:], marks=(*segment.marks, "if"))
    failed = bool(place) and follows.has("so", "then") and _STILL_FAILING.search(segment.text)
    if _asks_first(segment, follows):
        return replace(segment, marks=(*segment.marks, "if"))
    plain = not segment.has("if", "unless", "else")
    if plain and follows.has("then") and _decides(segment, follows):
        return replace(segment, marks=(*segment.marks, "if"))
    if follows.has("case") or (plain and (failed or _before_so(segment, follows))):
        return replace(segment, marks=(*segment.marks, "if"))
    return segment


def _decides(segment: Segment, follows: Segment) -> bool:
    """Whether what is stated, not looked at, decides: `CPU 超过80%再扩`, `都健康再重启`."""
    changes = follows.guess is not None and follows.guess.intent in CHANGES
    asked = segment.guess is not None and segment.guess.strong
    if _FOUND_GOOD.search(segment.text):
        return True
    return changes and not asked and bool(_LIMIT.search(segment.text))


def _asks_first(segment: Segment, follows: Segment) -> bool:
    """Whether a question decides about the change behind it: `lag over 10000? add 3 replicas`."""
    changes = follows.guess is not None and follows.guess.intent in CHANGES
    bare = not follows.has("if", "unless", "else", "then", "also", "and", "case", "so")
    return follows.has("asked") and changes and bare and bool(_LIMIT.search(segment.text))


def _before_so(segment: Segment, follows: Segment) -> bool:
    """Whether a clause before 就 says what must be found, not what to do."""
    if not follows.has("so") or (follows.guess is None and _NOTHING.search(follows.text)):
        return False
    says = any(compiled.search(segment.text) for compiled in joints().condition.values())
    change = segment.guess is not None and segment.guess.intent in CHANGES
    failure = joints().condition["failure"].search(segment.text)
    threshold = _CONDITION_END.search(segment.text) or _METRIC.search(segment.text)
    return bool(says or threshold) and (not change or bool(failure))


def _asks(segment: Segment, intent: str) -> bool:
    return segment.guess is not None and segment.guess.intent == intent


def _joined(found: list[Segment], tagger: Tagger) -> list[Step]:
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
    return segment.marks[0] in _CONDITIONAL and not after.has("so", "case", "comma", "then")


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
        if self.lead and segment.has("else", *_CONDITIONAL):
            self._settle()
        if segment.has(*_CONDITIONAL):
            self._take_condition(segment, marks, trails=trails)
        elif segment.has("because") and self.made:
            return
        elif step := self._step(segment, marks):
            self.made.append(self._with_statement(step))
            self.lead, self.condition, self.negated, self.idle = "", "", False, None
        elif self.made and not self.condition:
            self.made[-1] = self._with_more(self.made[-1], segment.text)
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
        self.marks = tuple(mark for mark in marks if mark not in _CONDITIONAL)

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
        if segment.has("else") or apart:
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
        bare = not kinds - _FIGURES or not self._kinds(last.text)
        # "search a for b, last 50 lines": more about the same search.
        bare = bare or (asked.intent == "search_logs" and kinds == {"num"})
        return bare or not asked.strong or asked.intent in _GATHERS

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
            and len(kinds) > enough
            and kinds <= before
            and bool(kinds & _LEADING_KINDS)
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
