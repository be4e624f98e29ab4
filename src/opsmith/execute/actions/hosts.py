"""ssh.read, ssh.change and ssh.run: a registered command on a host or a group of hosts."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.errors import BadAnswer
from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order
from opsmith.nouns.task import Risk

READ = "ssh.read"
CHANGE = "ssh.change"
RUN = "ssh.run"
CHECK = "ssh.check"
UNDO = "ssh.undo"
# Ten batches of ten hosts, half a minute each.
DEADLINE_S = 300.0
_TARGETS = frozenset({EntityKind.HOST})
_INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["command"],
    "properties": {
        "command": {"type": "string", "pattern": r"^[a-z][a-z0-9-]{0,60}$"},
        "values": {
            "type": "array",
            "maxItems": 20,
            "items": {"type": "string", "pattern": r"^[a-z][a-z0-9_]{0,40}=[^\x00-\x1f\x7f]+$"},
        },
        "at_once": {"type": "integer", "minimum": 1, "maximum": 10},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOnHosts:
    """One of the three: they differ in what a command may do and how it is taken back."""

    spec: ActionSpec

    def resource(self, order: Order) -> str:
        """The host: two commands on one host never overlap."""
        return f"host {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """The words, the hosts, and whatever the command's own `look` printed there."""
        name = self.spec.name
        found = await look(order, name, world)
        hosts = ", ".join(map(str, found.members))
        says = f"run `{found.facts['line']}` on {len(found.members)} hosts: {hosts}"
        if found.facts["undo"] and name == CHANGE:
            says += f"; undone by `{found.facts['undo']}`"
        return Preview(version=found.version, says=says, before={}, members=found.members)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Run it in batches. Raises `BadAnswer` with the outcome of each host when one failed."""
        return await self._sent(order, self.spec.name, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """The command's own check on every host, where it has one."""
        found = await look(order, CHECK, world)
        if not found.facts["line"]:
            return Finding(holds=True, says="it ended with 0 on every host")
        try:
            return Finding(holds=True, says=await self._sent(order, CHECK, world))
        except BadAnswer as error:
            return Finding(holds=False, says=str(error))

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Run the command's undo on every host of the target."""
        return await self._sent(order, UNDO, world)

    async def _sent(self, order: Order, verb: str, world: World) -> str:
        reply = await send(order, verb, order.values, world, deadline_s=self.spec.deadline_s)
        if reply.facts["failed"]:
            raise BadAnswer(reply.says)
        return reply.says


ON_HOSTS = (
    RunOnHosts(
        spec=ActionSpec(
            name=READ,
            title="Run a registered command that changes nothing on hosts",
            risk=Risk.READ,
            targets=_TARGETS,
            inputs=_INPUTS,
            rights="to log in to the hosts over SSH",
            irreversible="the command is registered as one that changes nothing",
            deadline_s=DEADLINE_S,
        )
    ),
    RunOnHosts(
        spec=ActionSpec(
            name=CHANGE,
            title="Run a registered command that has an undo on hosts",
            risk=Risk.CHANGE,
            targets=_TARGETS,
            inputs=_INPUTS,
            rights="to log in to the hosts over SSH, and whatever the command needs there",
            undo="runs the command's undo on the same hosts",
            deadline_s=DEADLINE_S,
        )
    ),
    RunOnHosts(
        spec=ActionSpec(
            name=RUN,
            title="Run any registered command on hosts",
            risk=Risk.DESTRUCTIVE,
            targets=_TARGETS,
            inputs=_INPUTS,
            rights="to log in to the hosts over SSH, and whatever the command needs there",
            irreversible="nobody knows how to take the command back; ssh.change does",
            deadline_s=DEADLINE_S,
        )
    ),
)
