"""config.set and config.patch: one setting of a file, changed in place or as a patch."""

from __future__ import annotations

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order
from opsmith.nouns.task import Risk

SET = "config.set"
PATCH = "config.patch"

_TARGETS = frozenset(
    {
        EntityKind.SERVICE,
        EntityKind.INSTANCE,
        EntityKind.HOST,
        EntityKind.DATABASE,
        EntityKind.CACHE,
        EntityKind.QUEUE,
    }
)
_INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "value"],
    "properties": {
        "key": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,200}$"},
        "value": {"type": "string", "minLength": 1, "maxLength": 4000},
    },
}


class SetConfig:
    """Changes a setting that is there, of the same type; the old value is kept for the undo."""

    spec = ActionSpec(
        name=SET,
        title="Change one setting of a configuration file",
        risk=Risk.CHANGE,
        targets=_TARGETS,
        inputs=_INPUTS,
        rights="to write the configuration file of the target",
        undo="puts the old value back",
    )

    def resource(self, order: Order) -> str:
        """The whole configuration: two settings of one file are one file."""
        return f"config {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """The value that is there now. Raises `NotFound` for a setting that is not."""
        found = await look(order, SET, world)
        old, new = found.facts["value"], order.values["value"]
        says = f"{order.values['key']} of {order.target}: {old} -> {new}"
        return Preview(version=found.version, says=says, before={"value": old}, owner=found.owner)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Write the new value."""
        return await self._send(order, order.values["value"], world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Read it back."""
        found = await look(order, SET, world)
        now = found.facts["value"]
        says = f"{order.values['key']} is {now}"
        return Finding(holds=now == order.values["value"], says=says)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Write the old value."""
        return await self._send(order, preview.before["value"], world)

    async def _send(self, order: Order, value: object, world: World) -> str:
        values = {"key": order.values["key"], "value": str(value)}
        reply = await send(order, SET, values, world, deadline_s=self.spec.deadline_s)
        return reply.says


class PatchConfig:
    """Writes the change as a patch for whoever owns the file; the file itself stays as it is."""

    spec = ActionSpec(
        name=PATCH,
        title="Write a change of one setting as a patch for the file's owner",
        risk=Risk.READ,
        targets=_TARGETS,
        inputs=_INPUTS,
        rights="to read the configuration file, and to write in opsmith's own data folder",
        irreversible="it changes nothing but adds a file to opsmith's own folder",
    )

    def resource(self, order: Order) -> str:
        """Patches do not disturb each other, but one target's are made one at a time."""
        return f"patch {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """The value that is there now."""
        found = await look(order, PATCH, world)
        old, new = found.facts["value"], order.values["value"]
        says = f"a patch: {order.values['key']} of {order.target}: {old} -> {new}"
        return Preview(version=found.version, says=says, before={"value": old})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Write the patch; says where it lies."""
        reply = await send(order, PATCH, order.values, world, deadline_s=self.spec.deadline_s)
        return reply.says

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """The file must be as it was."""
        found = await look(order, PATCH, world)
        says = "the file itself is unchanged"
        return Finding(holds=found.version == preview.version, says=says)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Nothing to put back."""
        return "nothing was changed"
