"""search_logs: the kinds of lines a target wrote, with their counts and an example each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
from numpy.typing import NDArray

from opsmith.answer.times import Span, span_of
from opsmith.answer.words import TARGETS, names_in, quote, who
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Figure
from opsmith.nouns.log_line import MOST_LINES, Level, LogQuery, LogsFound
from opsmith.nouns.signals import Logs
from opsmith.nouns.task import Task

# The least OpenTelemetry severity number of each level. Source: OpenTelemetry, "Logs Data
# Model", SeverityNumber.
LEVELS = {"debug": 5, "info": 9, "warn": 13, "error": 17}
LINES = 10


async def search_logs(task: Task, world: World) -> Answer:
    """Lines of a target by level, keyword and time, the most frequent kind first."""
    logs = world.recording.logs if world.recording else None
    if logs is None and world.streets.search is not None:
        return await _searched(task, world, world.streets.search)
    if logs is None:
        return Answer(
            task=task,
            status=AnswerStatus.UNKNOWN,
            said=(world.speech.say("logs.no_source"),),
        )
    keyword = str(task.slots.get("keyword", ""))
    kept = _kept(task, world, logs)
    said_keyword = world.speech.say("logs.keyword", keyword=quote(keyword)) if keyword else ""
    name = who(task, world.speech)
    rows = _rows(task, world, logs, kept)
    query = " ".join(f"{key}={quote(str(value))}" for key, value in task.slots.items())
    evidence = Evidence(source=f"{world.source} logs", query=query, count=int(kept.sum()))
    if not rows:
        said = world.speech.say("logs.none", who=name, keyword=said_keyword)
        return Answer(task=task, status=AnswerStatus.ANSWERED, said=(said,), evidence=(evidence,))
    templates = len(set(logs.template[kept].tolist()))
    said = world.speech.say(
        "logs.found", count=int(kept.sum()), who=name, templates=templates, keyword=said_keyword
    )
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(said,),
        detail="\n".join(rows),
        figures=(Figure(name="log lines", value=float(kept.sum()), unit="count"),),
        evidence=(evidence,),
    )


async def _searched(
    task: Task, world: World, search: Callable[[LogQuery], Awaitable[LogsFound]]
) -> Answer:
    """The newest lines of the live sources. Raises `BadInput` when no source is known."""
    speech, slots = world.speech, task.slots
    span = span_of(slots, zone=speech.zone, now=world.now)
    keyword, lines = str(slots.get("keyword", "")), slots.get("lines", LINES)
    names = names_in(slots.get("service"))
    found = await search(_query(task, span, names))
    kept = [one for one in found.lines if not names or one.service in names]
    shown = kept[-(lines if isinstance(lines, int) else LINES) :]
    rows = [
        f"{speech.time(one.at)} {one.level.name.lower()} {quote(one.service)}  {quote(one.text)}"
        for one in shown
    ]
    with_word = speech.say("logs.keyword", keyword=quote(keyword)) if keyword else ""
    key = "logs.lines" if kept else "logs.none"
    said = speech.say(
        key, count=len(kept), who=who(task, speech), keyword=with_word, shown=len(shown)
    )
    asked = " ".join(f"{name}={quote(str(value))}" for name, value in slots.items())
    evidence = Evidence(
        source="logs",
        query=asked,
        start=span.start,
        end=span.end,
        count=len(kept),
        names=tuple(dict.fromkeys(quote(one.source) for one in shown)),
    )
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=(said, *map(quote, found.missing)),
        detail="\n".join(rows),
        figures=(Figure(name="log lines", value=float(len(kept)), unit="count"),),
        evidence=(evidence,),
    )


def _query(task: Task, span: Span, names: tuple[str, ...]) -> LogQuery:
    return LogQuery(
        start=span.start,
        end=span.end,
        service=names[0] if len(names) == 1 else "",
        text=str(task.slots.get("keyword", "")),
        level=Level(LEVELS.get(str(task.slots.get("level", "")), 0)),
        limit=MOST_LINES,
    )


def _kept(task: Task, world: World, logs: Logs) -> NDArray[np.bool_]:
    kept = np.ones(logs.at_s.size, dtype=bool)
    names = {name for slot in TARGETS for name in names_in(task.slots.get(slot))}
    if names:
        rows = [n for n, entity in enumerate(logs.entities) if entity.name in names]
        kept &= np.isin(logs.entity, rows)
    if "level" in task.slots:
        kept &= logs.severity >= LEVELS.get(str(task.slots["level"]), 0)
    keyword = str(task.slots.get("keyword", "")).lower()
    if keyword:
        fits = [
            n
            for n, (template, example) in enumerate(
                zip(logs.templates, logs.examples, strict=True)
            )
            if keyword in template.lower() or keyword in example.lower()
        ]
        kept &= np.isin(logs.template, fits)
    if {"window", "start"} & task.slots.keys():
        span = span_of(task.slots, zone=world.speech.zone, now=world.now)
        kept &= (logs.at_s >= span.start.timestamp()) & (logs.at_s <= span.end.timestamp())
    return kept


def _rows(task: Task, world: World, logs: Logs, kept: NDArray[np.bool_]) -> list[str]:
    lines = task.slots.get("lines", LINES)
    templates, counts = np.unique(logs.template[kept], return_counts=True)
    rows = []
    for n in np.argsort(-counts)[: lines if isinstance(lines, int) else LINES]:
        mine = kept & (logs.template == templates[n])
        level = int(logs.severity[mine].max())
        rows.append(
            world.speech.say(
                "logs.line",
                count=int(counts[n]),
                level=_level(level),
                first=world.speech.time(float(logs.at_s[mine].min())),
                last=world.speech.time(float(logs.at_s[mine].max())),
                text=quote(logs.examples[int(templates[n])]),
            )
        )
    return rows


def _level(severity: int) -> str:
    return next((name for name, least in reversed(LEVELS.items()) if severity >= least), "trace")
