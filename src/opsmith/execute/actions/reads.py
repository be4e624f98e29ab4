"""container.list, container.logs and http.check: actions that only tell."""

from __future__ import annotations

from dataclasses import dataclass

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order
from opsmith.nouns.task import Risk

_NOTHING = {"type": "object", "additionalProperties": False, "properties": {}}
_READS = "it changes nothing"
# Longer than any check of a targets file may take.
CHECK_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An action whose answer is what its reach says."""

    spec: ActionSpec

    def resource(self, order: Order) -> str:
        """Readers do not disturb each other; of one target one reads at a time."""
        return f"{self.spec.name} {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Whether it is there."""
        name = self.spec.name
        found = await look(order, name, world)
        says = str(found.facts.get("says") or f"{self.spec.title.lower()} ({order.target})")
        return Preview(version=found.version, says=says, before={})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Read."""
        name, within = self.spec.name, self.spec.deadline_s
        reply = await send(order, name, order.values, world, deadline_s=within)
        return reply.says

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Nothing was changed, so nothing is to be seen."""
        return Finding(holds=True, says="nothing was changed")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Nothing to put back."""
        return "nothing was changed"


READS = (
    Read(
        spec=ActionSpec(
            name="container.list",
            title="List the containers of a host",
            risk=Risk.READ,
            targets=frozenset({EntityKind.HOST}),
            inputs=_NOTHING,
            rights="to use the socket of the container engine",
            irreversible=_READS,
        )
    ),
    Read(
        spec=ActionSpec(
            name="container.logs",
            title="Read the last lines that a container wrote",
            risk=Risk.READ,
            targets=frozenset(
                {
                    EntityKind.SERVICE,
                    EntityKind.INSTANCE,
                    EntityKind.DATABASE,
                    EntityKind.CACHE,
                    EntityKind.QUEUE,
                }
            ),
            inputs={
                "type": "object",
                "additionalProperties": False,
                "properties": {"lines": {"type": "integer", "minimum": 1, "maximum": 500}},
            },
            rights="to use the socket of the container engine",
            irreversible=_READS,
        )
    ),
    Read(
        spec=ActionSpec(
            name="http.check",
            title="Ask an address whether it is well",
            risk=Risk.READ,
            targets=frozenset(EntityKind),
            inputs={
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "check": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,60}$"}
                },
            },
            rights="to ask the address that the targets file names",
            irreversible=_READS,
            deadline_s=CHECK_WITHIN_S,
        )
    ),
)
