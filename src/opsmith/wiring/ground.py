"""Ground: what the targets file and the lab offer to a sentence that wants something changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opsmith.backends.reach.ssh_commands import recognised
from opsmith.errors import BadAnswer, BadInput, NotFound
from opsmith.execute.action import World as Ways
from opsmith.flows.ask.world import Changes
from opsmith.flows.change_control import ChangeControl, Proposal
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.plan import Check, Dossier, Order, Value
from opsmith.nouns.session import Principal
from opsmith.plan.ordering import Registered, Target
from opsmith.plan.waves import widening
from opsmith.settings import Settings
from opsmith.wiring.reaches import command_of
from opsmith.wiring.rules import policy
from opsmith.wiring.targets import TargetShape, Told, read

SCALE = "kubernetes.scale"
# Looks whether a workload is there and at nothing else.
STATUS = "kubernetes.status"


def changes_by(
    by: Principal, *, control: ChangeControl, settings: Settings, watched: bool
) -> Changes:
    """Change control in the name of `by`. Raises `BadInput` for a targets file that is wrong."""

    async def propose(
        orders: tuple[Order, ...], checks: tuple[Check, ...], /, *, why: str
    ) -> Dossier:
        alike = len({order.action for order in orders}) == 1 < len(orders)
        waves = widening(len(orders)) if checks and alike else ()
        proposal = Proposal(orders=orders, why=why, checks=checks, waves=waves)
        return await control.propose(proposal, by=by)

    told = read(settings.targets_file)
    return Changes(
        role=by.role,
        ground=Configured(told, control.ways),
        spec=lambda name: control.actions.get(name).spec,
        propose=propose,
        run=lambda name: control.run(name, by=by),
        approvers=lambda: policy(settings.policy_file).approver_roles,
        watched=watched,
        configured=settings.targets_file is not None,
    )


class Configured:
    """The targets by the names that people call them, and the registered commands."""

    def __init__(self, told: Told, ways: Ways) -> None:
        self._told = told
        self._ways = ways

    async def targets(
        self, name: str, kinds: Sequence[EntityKind], action: str
    ) -> tuple[Target, ...]:
        """Those of the file that are called so; else what a way knows by itself, as the lab does.

        A way may carry names without knowing whether they are there, so they are looked for, the
        likeliest kind first. Raises what the ways raise.
        """
        named = [
            Target(entity=entity, facts=_facts(one))
            for entity, one in self._told.targets.items()
            if entity.kind in kinds and name in {entity.name, one.name}
        ]
        named = [one for one in named if self._carried(one.entity, action)]
        if named:
            return tuple(named)
        found = [Entity(kind=kind, name=name) for kind in kinds]
        found = [one for one in found if self._carried(one, action)]
        for one in found:
            if await self._there(one, action):
                return (Target(entity=one),)
        return ()

    async def replicas(self, target: Entity, values: Mapping[str, Value]) -> int:
        """As the cluster says. Raises `BadAnswer` where it says none."""
        asked = {**values, "replicas": 1}
        found = await self._ways.reach(target, SCALE).look(target, SCALE, asked)
        count = found.facts.get("was")
        if isinstance(count, bool) or not isinstance(count, int):
            raise BadAnswer(f"Nothing tells how many replicas {target} has.")
        return count

    def command(self, text: str) -> Registered | None:
        """The first registered command that these words are."""
        for name, shape in sorted(self._told.shape.commands.items()):
            values = recognised(text, command_of(shape))
            if values is not None:
                changing = "ssh.change" if shape.undo else "ssh.run"
                action = changing if shape.changes else "ssh.read"
                return Registered(name=name, action=action, values=values)
        return None

    def commands(self) -> tuple[str, ...]:
        """The names of all registered commands."""
        return tuple(sorted(self._told.shape.commands))

    def _carried(self, entity: Entity, action: str) -> bool:
        try:
            self._ways.reach(entity, action)
        except NotFound:
            return False
        return True

    async def _there(self, entity: Entity, action: str) -> bool:
        workload = action.startswith("kubernetes.") and entity.kind is not EntityKind.HOST
        verb = STATUS if workload else action
        try:
            await self._ways.reach(entity, verb).look(entity, verb, {})
        except NotFound:
            return False
        except BadInput:  # it is there, and wants what is not said yet
            return True
        return True


def _facts(one: TargetShape) -> dict[str, frozenset[str]]:
    """Where a target is, by the slots that may speak of it."""
    host, cluster = one.systemd.host if one.systemd else None, one.kubernetes
    told = {
        "env": [one.env],
        "namespace": [one.namespace or (cluster.namespace if cluster else None) or ""],
        "host": [Entity.parse(host).name] if host else [],
        "path": [str(one.logs.folder)] if one.logs else [],
        "command": list(one.scripts),
    }
    return {slot: frozenset(filter(None, names)) for slot, names in told.items() if any(names)}
