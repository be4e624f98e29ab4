"""compare_config: two revisions, or two folders of one, compared by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from opsmith.answer.config_diff import Difference, differences
from opsmith.answer.words import names_in, quote
from opsmith.flows.ask.world import World
from opsmith.nouns.answer import Answer, AnswerStatus, Evidence, Finding
from opsmith.nouns.redaction import redact_pairs
from opsmith.nouns.task import Task
from opsmith.seams.repository import Repository

MOST_SHOWN = 60
HEAD = "HEAD"


async def compare_config(task: Task, world: World) -> Answer:
    """What differs between two tags, branches or environments, traffic rules first."""
    repository = world.repository
    if repository is None:
        return _unknown(task, world.speech.say("config.no_repository"))
    a, b = names_in(task.slots["targets"])
    sides = [await _side(repository, name, task) for name in (a, b)]
    for name, side in zip((a, b), sides, strict=True):
        if side is None:
            said = world.speech.say("config.no_side", name=quote(name), repository="--repo")
            return _unknown(task, said)
    (left, left_id), (right, right_id) = (side for side in sides if side is not None)
    found, bad = await asyncio.to_thread(differences, _about(task, left), _about(task, right))
    service, path = str(task.slots.get("service", "")), str(task.slots.get("path", ""))
    place = ", ".join(map(quote, filter(None, (service, path))))
    where = world.speech.say("config.where", where=place) if place else ""
    return Answer(
        task=task,
        status=AnswerStatus.ANSWERED,
        said=_said(world, found, (quote(a), quote(b)), where),
        finding=Finding.BREACH if found else Finding.NO_BREACH,
        detail="\n".join(_rows(found)),
        evidence=(
            Evidence(
                source="git",
                query=f"{left_id}..{right_id}",
                count=len(left) + len(right),
                names=tuple(f"not YAML: {quote(name)}" for name in bad[:5]),
            ),
        ),
    )


Side = tuple[Mapping[str, str], str]


async def _side(repository: Repository, name: str, task: Task) -> Side | None:
    """The files of a revision, or of a folder of that name, and how they were found."""
    path = str(task.slots.get("path", ""))
    revision = await repository.resolve(name)
    if revision is not None:
        return await repository.texts(revision, path), f"{name} ({revision[:10]})"
    head = await repository.resolve(HEAD)
    if head is None:
        return None
    folders = await repository.folders(head)
    fits = [one for one in folders if one.rsplit("/", 1)[-1] == name]
    files: dict[str, str] = {}
    for folder in fits:
        # Below the folder of the environment both sides have the same paths.
        texts = await repository.texts(head, folder)
        files |= {one.removeprefix(f"{folder}/"): text for one, text in texts.items()}
    return (files, f"{HEAD}:{', '.join(fits)}") if fits else None


def _about(task: Task, files: Mapping[str, str]) -> Mapping[str, str]:
    """The files that speak of the service, when one was named and any does."""
    service = str(task.slots.get("service", "")).lower()
    kept = {
        path: text
        for path, text in files.items()
        if service in path.lower() or service in text.lower()
    }
    return kept if service and kept else files


def _said(
    world: World, found: tuple[Difference, ...], names: tuple[str, str], where: str
) -> tuple[str, ...]:
    a, b = names
    if not found:
        return (world.speech.say("config.same", a=a, b=b, where=where),)
    things = len({one.thing for one in found})
    said = [
        world.speech.say("config.differ", count=len(found), objects=things, a=a, b=b, where=where)
    ]
    for mark in ("weight", "timeout", "retries"):
        changes = [
            f"{quote(one.thing)} {quote(one.path)}: {_pair(one)}"
            for one in found
            if one.mark == mark
        ]
        if changes:
            said.append(world.speech.say(f"config.{mark}", change="; ".join(changes[:8])))
    return tuple(said)


def _rows(found: tuple[Difference, ...]) -> list[str]:
    rows, thing = [], ""
    for one in sorted(found, key=lambda one: (one.thing, not one.mark, one.path)):
        if one.thing != thing:
            thing = one.thing
            rows.append(quote(thing))
        rows.append(f"  {'!' if one.mark else ' '} {quote(one.path)}: {_pair(one)}")
    if len(rows) > MOST_SHOWN:
        rows = [*rows[:MOST_SHOWN], f"… {len(rows) - MOST_SHOWN} more"]
    return rows


def _pair(one: Difference) -> str:
    last = one.path.rsplit(".", 1)[-1]
    return " → ".join(
        "—" if value is None else quote(dict(redact_pairs([(last, value)]))[last])
        for value in (one.before, one.after)
    )


def _unknown(task: Task, said: str) -> Answer:
    return Answer(task=task, status=AnswerStatus.UNKNOWN, said=(said,))
