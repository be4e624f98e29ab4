"""Clauses: a tagged text -> steps in order, each with how it hangs on the ones before."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from opsmith.parse.evidence import CHANGES, guess
from opsmith.parse.lexicon import joints, phrase
from opsmith.parse.order import in_order
from opsmith.parse.pieces import Segment, Step
from opsmith.parse.spans import Tagger, pattern
from opsmith.parse.statements import each_asked_about
from opsmith.parse.weave import CONDITIONAL, woven


def segments(text: str) -> list[Segment]:
    """Cut a tagged text at every joint; too finely, `steps` joins again."""
    found: list[Segment] = []
    marks: list[str] = []
    place = 0
    text = _IF_SO.sub(r"\1, ", text)
    # "restart it, but show its logs first": said last, done first.
    text = _FIRST_AT_END.sub(r", but first \1", text)
    text = _ANYWAY_AT_END.sub(r". \1", text)
    for match in _joint().finditer(text):
        if _in_list(text, match):
            continue
        piece = _BUT.sub("", text[place : match.start()].strip())
        if piece:
            found.append(Segment(text=piece, marks=tuple(marks)))
            marks = []
        marks += _marks(text, match)
        place = match.end()
    if text[place:].strip():
        found.append(Segment(text=_BUT.sub("", text[place:].strip()), marks=tuple(marks)))
    elif "then" in marks and len(found) > 1 and not found[-1].has("stop"):
        # "silence it and drain it afterwards": said at the end, meant before.
        found[-1] = replace(found[-1], marks=(*found[-1].marks, "then"))
    whole = _names_back(_with_suffixes([found[0], *map(_said_first, found[1:])] if found else []))
    whole = _outcomes_told(_said_of_others(whole))
    return [replace(segment, guess=guess(segment.text)) for segment in whole]


def _outcomes_told(found: list[Segment]) -> list[Segment]:
    """Join a change to what is told of its outcome: 重启后还是慢 is no request."""
    ready: list[Segment] = []
    for place, segment in enumerate(found):
        after = found[place + 1] if place + 1 < len(found) else None
        if ready and segment.has("unless") and _LEAVES.match(ready[-1].text):
            # "leave it alone unless its disk is full; then clean it": then, not otherwise.
            told = ready.pop()
            topic = f"{_LEAVES.sub('', told.text).strip()} {segment.text}".strip()
            marks = ("if" if mark == "unless" else mark for mark in segment.marks)
            ready.append(replace(segment, text=topic, marks=tuple(marks)))
            continue
        decides = after is not None and after.has("so", "case", "else")
        if ready and _OUTCOME.match(segment.text) and segment.has("then") and not decides:
            ready[-1] = replace(ready[-1], text=f"{ready[-1].text}后{segment.text}")
        else:
            ready.append(segment)
    return ready


def _marks(text: str, match: re.Match[str]) -> list[str]:
    """What a joint says: its mark, whether it asks, looks at more, speaks of success."""
    mark = (match.lastgroup or "comma").partition("_")[0]
    more = {
        "asked": "?" in match[0],
        "more": bool(_MORE.match(text, match.start())),
        "success": mark == "then" and bool(_WENT_WELL.search(match[0])),
    }
    return [mark, *(name for name, said in more.items() if said)]


def _said_first(segment: Segment) -> Segment:
    """`restart a, but run b first`: said behind, done before."""
    text = _FIRST.sub("", segment.text)
    if text == segment.text or not text or segment.has(*CONDITIONAL, "before", "after"):
        return segment
    return replace(segment, text=text, marks=(*segment.marks, "after"))


def _said_of_others(found: list[Segment]) -> list[Segment]:
    """`a answers 502, and so does b`: what is told of one is told of the other."""
    ready: list[Segment] = []
    for segment in found:
        other = _SO_DOES.match(segment.text)
        told = ready[-1].text if ready else ""
        asked = guess(told) if other else None
        if other and _NAME.search(told) and not (asked and asked.intent in CHANGES):
            name = next(group for group in other.groups() if group)
            segment = replace(segment, text=_NAME.sub(name, told, count=1))  # noqa: PLW2901
        ready.append(segment)
    return ready


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
    """Whether "and" stands between two names of one kind: a list, not a joint.

    A comma is one only in a list of hosts that ends in "and": what follows a name of a service
    may be told of it.
    """
    if (match.lastgroup or "").startswith("comma"):
        return bool(
            _HOSTS_BEFORE.search(text, 0, match.start()) and _HOSTS.match(text, match.end())
        )
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
    # "what if a goes down? thanks": a courtesy asks for nothing.
    text = _COURTESY.sub("", text) or text
    made = _woven(text, tagger)
    rest = _ORDER_SAID.sub(" ", text).strip()
    again = _woven(rest, tagger) if rest != text else []
    if len({step.guess.intent for step in again}) > 1:
        # "in this order: silence it, drain it": each step waits for the one before.
        made = [again[0], *(replace(step, mark=_one_after_another(step)) for step in again[1:])]
    return in_order(made)


def _woven(text: str, tagger: Tagger) -> list[Step]:
    return woven(each_asked_about(_conditions_split(segments(text)), tagger), tagger)


def _one_after_another(step: Step) -> str:
    """The mark of a step in a text that says its order: side by side becomes "then"."""
    return (
        "then" if step.mark in {"", "comma", "and", "stop"} and not step.condition else step.mark
    )


_NAME = pattern("<thing>|<alert>|<ver>")
_LIMIT = pattern("<thr>")
_HOSTS_BEFORE = pattern("<host>$")
_HOSTS = pattern("(?:<host>, ?)*<host>,? ?(?:and|&|[和与及、]) ?<host>")
_METRIC = pattern("<metric>")
# "if so wipe its logs": the condition ends there, comma or none.
_IF_SO = pattern(r"\b(if (?:so|yes))\b ?(?![,;:])")
# "再看看": one more thing to look at, in no order.
_MORE = pattern("[,;。]? ?再(?:去|帮我)?(?:看[看下一]|来)")
_FOUND_GOOD = phrase("clauses", "found_good")
_FIRST_AT_END = phrase("clauses", "first_at_end")
_ANYWAY_AT_END = phrase("clauses", "anyway_at_end")
_COURTESY = phrase("clauses", "courtesy")
_SO_DOES = phrase("clauses", "so_does")
_ORDER_SAID = phrase("clauses", "order_said")
_WENT_WELL = phrase("clauses", "went_well")
_ACTION = phrase("clauses", "action")
_BEFORE_ACTION = phrase("clauses", "before_action")
_STILL_FAILING = phrase("clauses", "still_failing")
_CONDITION_END = phrase("clauses", "condition_end")
_NAME_THEN_VERB = phrase("clauses", "name_then_verb")
_BUT = pattern(r"^(?:but|though|however)\b,? ?(?=\w)")
_FIRST = phrase("clauses", "first")
_GERUND = phrase("clauses", "gerund")
_NOTHING = phrase("clauses", "nothing")
_LEAVES = phrase("clauses", "leaves")
_OUTCOME = phrase("clauses", "outcome")
_LEFT_ALONE = phrase("clauses", "left_alone")


def _conditions_split(found: list[Segment]) -> list[Segment]:
    """Part a condition from what it asks for when no comma does: "if it's down restart it"."""
    ready: list[Segment] = []
    for segment in found:
        if segment.has("before", "after") and (pair := _gerund_split(segment)):
            ready += pair
            continue
        end = _CONDITION_END.search(segment.text)
        start = end.end() if end else 1
        action = _ACTION.search(segment.text, start) if segment.has(*CONDITIONAL) else None
        left = _LEFT_ALONE.search(segment.text, start) if segment.has(*CONDITIONAL) else None
        if end and left and not action:
            head = segment.text[: left.start()].strip()
            ready.append(replace(segment, text=head, guess=guess(head)))
            ready.append(Segment(text=left[0].strip(), marks=("case",)))
            continue
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
    """Whether a question decides about a change: `lag over 10000? (Then) add 3 replicas`."""
    changes = follows.guess is not None and follows.guess.intent in CHANGES
    bare = not follows.has("if", "unless", "else", "also", "and", "case", "so")
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
