"""Acting: policy file, clocks, actions and the ways to targets, joined to the change control."""

from __future__ import annotations

import asyncio
import getpass
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadInput, HouseError, NotFound, Unreachable
from opsmith.execute.action import Action, ActionSpec
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.registry import Registry
from opsmith.execute.settle import Watcher
from opsmith.flows.change_control import ChangeControl as ChangeControl  # noqa: PLC0414 - for faces
from opsmith.flows.change_control import Guards, Principal, Proposal
from opsmith.flows.look_after import Eyes, look
from opsmith.nouns.clock import Clock
from opsmith.nouns.entity import Entity
from opsmith.nouns.plan import Autonomy, Order, Value
from opsmith.plan.policy import Policy, policy_from
from opsmith.seams.reach import Reach
from opsmith.seams.wire import Access
from opsmith.settings import Settings
from opsmith.wiring import targets
from opsmith.wiring.sources import open_metrics

ACTIONS_GROUP = "opsmith.actions"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Ways:
    """The ways that lead to targets, each by the verbs that it carries."""

    def __init__(self, reaches: Sequence[Reach]) -> None:
        self._reaches = tuple(reaches)

    def reach(self, target: Entity, verb: str) -> Reach:
        """The first way that carries `verb`. Raises `NotFound` when none does."""
        for one in self._reaches:
            if verb in one.verbs:
                return one
        raise NotFound(f"Nothing here carries {verb} to {target}.", hint="See `opsmith doctor`.")

    async def aclose(self) -> None:
        """Let go of every way."""
        for one in self._reaches:
            await one.aclose()


@asynccontextmanager
async def change_control(settings: Settings) -> AsyncIterator[ChangeControl]:
    """The change control of this data folder; a running `opsmith up` sees what it writes."""
    ledger = SqliteLedger(settings.data_dir / "ledger.db")
    known = targets.read(settings.targets_file)
    patches = settings.data_dir / "patches"
    ways = Ways([targets.files_reach(known, clock=_now, patches=patches)])
    metrics = open_metrics(settings)
    eyes = Eyes(metrics=metrics, wire=lambda url: HttpWire(Access(url=url)), clock=_now)
    try:
        yield ChangeControl(
            ledger,
            actions=actions(),
            world=ways,
            guards=Guards(
                policy=lambda: policy(settings.policy_file),
                clock=read_clock,
                autonomy=_no_autonomy,
            ),
            watcher=Watcher(
                probe=lambda check: look(check, eyes), clock=_now, sleep=asyncio.sleep
            ),
            fresh_name=lambda: secrets.token_urlsafe(16),
        )
    finally:
        await ways.aclose()
        if metrics is not None:
            await metrics.aclose()
        ledger.close()


def actions() -> Registry:
    """The built-in actions and those of installed packages. Raises `HouseError` for a bad one."""
    added: list[Action] = []
    for entry in entry_points(group=ACTIONS_GROUP):
        try:
            made = entry.load()
        except (ImportError, AttributeError) as error:
            raise HouseError(f"The action {entry.name} cannot be loaded: {error}.") from error
        added.append(made() if isinstance(made, type) else made)
    return Registry([*BUILT_IN, *added])


def policy(path: Path | None) -> Policy:
    """The policy in use. Raises `BadInput` or `Unreachable` when the file cannot be used."""
    if path is None:
        text = (files("opsmith.plan") / "default_policy.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Unreachable(f"The policy {path.name!r} cannot be read: {error}.") from error
    from opsmith.parse.yaml_places import YamlFault, read_yaml

    try:
        document, _ = read_yaml(text)
    except YamlFault as error:
        raise BadInput(f"The policy, line {error.line}: {error}") from error
    return policy_from(document)


def read_clock() -> Clock:
    """Both clocks of this machine. Raises `Unreachable` where one is missing."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
        since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    except OSError as error:
        raise Unreachable(f"The clock cannot be trusted: {error}.") from error
    now = _now()
    return Clock(now=now, boot=boot, offset_s=now.timestamp() - since_boot_s)


def local_principal() -> Principal:
    """Whoever runs this command, as the system knows them."""
    return Principal(name=getpass.getuser())


def proposal(
    action: str, target: str, assignments: Sequence[str], *, why: str, incident: str = ""
) -> Proposal:
    """One order typed by hand. Raises `BadInput` for what its schema has no place for."""
    spec = actions().get(action).spec
    order = Order(action=action, target=Entity.parse(target), values=typed(assignments, spec=spec))
    return Proposal(orders=(order,), why=why, incident=incident)


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


def _now() -> datetime:
    return datetime.now(UTC)


async def _no_autonomy() -> Mapping[str, Autonomy]:
    return {}
