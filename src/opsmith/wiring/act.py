"""Acting: policy, clocks, actions and the ways to targets, joined to the change control."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opsmith.audit.states import ALERT, to_episode
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadInput, NotFound, Unreachable
from opsmith.execute.action import ActionSpec
from opsmith.execute.registry import Registry
from opsmith.execute.settle import Watcher
from opsmith.flows.autonomy import levels
from opsmith.flows.change_control import ChangeControl as ChangeControl  # noqa: PLC0414 - for faces
from opsmith.flows.change_control import Guards, Proposal
from opsmith.flows.look_after import Eyes, look
from opsmith.nouns.clock import Clock
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode
from opsmith.nouns.plan import Check, CheckKind, Order, Value
from opsmith.plan.waves import widening as widening_of
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.metrics import Metrics
from opsmith.seams.reach import Reach
from opsmith.seams.wire import Access
from opsmith.settings import Settings
from opsmith.wiring import targets
from opsmith.wiring.confinement import given, metered, scripts_reach
from opsmith.wiring.ledger import opened
from opsmith.wiring.outside import registry
from opsmith.wiring.queue import queue_probes
from opsmith.wiring.reaches import reaches
from opsmith.wiring.rules import policy
from opsmith.wiring.sources import open_metrics

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Ways:
    """The ways that lead to targets, each by the verbs that it carries."""

    def __init__(self, reaches: Sequence[Reach]) -> None:
        self._reaches = tuple(reaches)

    def reach(self, target: Entity, verb: str) -> Reach:
        """The first way that carries `verb` to `target`. Raises `NotFound` when none does."""
        for one in self._reaches:
            if one.carries(target, verb):
                return one
        raise NotFound(
            f"Nothing here carries {verb} to {target}.",
            hint="Say what it is in the file of OPSMITH_TARGETS_FILE.",
        )

    async def aclose(self) -> None:
        """Let go of every way."""
        for one in self._reaches:
            await one.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The change control with what it stands on. metrics: None when no server is configured."""

    control: ChangeControl
    ledger: Ledger
    metrics: Metrics | None


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The change control of this data folder; a running `opsmith up` sees what it writes."""
    async with opened(settings) as ledger:
        metrics = open_metrics(settings)
        try:
            async with control_over(settings, ledger=ledger, metrics=metrics) as control:
                yield Desk(control=control, ledger=ledger, metrics=metrics)
        finally:
            if metrics is not None:
                await metrics.aclose()


@asynccontextmanager
async def control_over(
    settings: Settings, *, ledger: Ledger, metrics: Metrics | None
) -> AsyncIterator[ChangeControl]:
    """A change control over a ledger and a metrics server that are open already."""
    sandbox = metered(settings, ledger=ledger, clock=now)
    told = targets.read(settings.targets_file)
    ways = Ways([*reaches(settings, clock=now), scripts_reach(told, sandbox=sandbox)])
    known = await asyncio.to_thread(registry, sandbox, given(told))

    async def episode(fingerprint: str) -> Episode | None:
        wanted = Wanted(kind=ALERT, subject=fingerprint, latest=True, limit=1)
        found = await ledger.read(wanted)
        return to_episode(found[0]) if found else None

    eyes = Eyes(
        metrics=metrics,
        episode=episode,
        wire=lambda url: HttpWire(Access(url=url)),
        clock=now,
    )
    try:
        yield ChangeControl(
            ledger,
            actions=known,
            world=ways,
            guards=Guards(
                policy=lambda: policy(settings.policy_file),
                clock=read_clock,
                autonomy=lambda: levels(ledger),
                others=queue_probes(settings),
            ),
            watcher=Watcher(probe=lambda one: look(one, eyes), clock=now, sleep=asyncio.sleep),
            fresh_name=lambda: secrets.token_urlsafe(16),
        )
    finally:
        await ways.aclose()


def actions() -> Registry:
    """What can be done, to be listed and checked against; `control_over` carries it out."""
    return registry()


def read_clock() -> Clock:
    """Both clocks of this machine. Raises `Unreachable` where one is missing."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
        since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    except OSError as error:
        raise Unreachable(f"The clock cannot be trusted: {error}.") from error
    at = now()
    return Clock(now=at, boot=boot, offset_s=at.timestamp() - since_boot_s)


def now() -> datetime:
    """The wall clock, UTC-aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """How an order goes over more than one target or value. also: further targets.

    ramp: `NAME=V1,V2,…`, one step a value, empty for none. checks: `KIND=SUBJECT` words.
    """

    also: tuple[str, ...] = ()
    ramp: str = ""
    checks: tuple[str, ...] = ()


AT_ONCE = Widening()


def proposal(
    action: str,
    target: str,
    assignments: Sequence[str],
    *,
    why: str,
    incident: str = "",
    widening: Widening = AT_ONCE,
) -> Proposal:
    """What somebody typed: one order, or several that go in waves with checks between.

    Raises `BadInput` for what the action's schema has no place for, and for waves that nothing
    would be checked after.
    """
    spec = actions().get(action).spec
    name, _, values = widening.ramp.partition("=")
    steps = [(*assignments, f"{name}={one}") for one in values.split(",")] if values else None
    orders = tuple(
        Order(action=action, target=Entity.parse(one), values=typed(words, spec=spec))
        for one in (target, *widening.also)
        for words in steps or [tuple(assignments)]
    )
    checks = tuple(map(check_of, widening.checks))
    if len(orders) > 1 and not checks:
        raise BadInput(
            "Several steps go one after the other, and nothing says whether the first helped.",
            hint="Give a --check, such as --check expression_quiet='ALERTS{service=\"cart\"}'.",
        )
    waves = widening_of(len(orders)) if len(orders) > 1 else ()
    return Proposal(orders=orders, why=why, incident=incident, checks=checks, waves=waves)


def check_of(word: str) -> Check:
    """`KIND=SUBJECT` as a check of what is so from now on. Raises `BadInput`."""
    kind, equals, subject = word.partition("=")
    if not equals or not subject or kind not in set(map(str, CheckKind)):
        kinds = ", ".join(CheckKind)
        raise BadInput(f"{word[:60]!r} is not KIND=SUBJECT with KIND in {kinds}.")
    return Check(kind=CheckKind(kind), subject=subject, since=now())


def typed(assignments: Sequence[str], *, spec: ActionSpec) -> Mapping[str, Value]:
    """`NAME=VALUE` words as values of the types that the action's schema gives them."""
    properties = spec.inputs.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    values: dict[str, Value] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals or name not in known:
            raise BadInput(
                f"{word[:60]!r} is not NAME=VALUE of {spec.name}.",
                hint=f"It takes {', '.join(sorted(known)) or 'no values'}.",
            )
        kind = known[name].get("type")
        if kind == "array":
            before = values.get(name, ())
            values[name] = (*(before if isinstance(before, tuple) else ()), text)
        elif name in values:
            raise BadInput(f"{spec.name} takes one {name}.")
        else:
            values[name] = _typed(text, kind, name)
    return values


def _typed(text: str, kind: object, name: str) -> Value:
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise BadInput(f"{name} must be {kind}, not {text[:60]!r}.") from error
