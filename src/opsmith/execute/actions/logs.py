"""logs.clean and logs.quarantine: old logs of a target, deleted or set aside."""

from __future__ import annotations

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order, Values
from opsmith.nouns.task import Risk

CLEAN = "logs.clean"
QUARANTINE = "logs.quarantine"
RESTORE = "logs.restore"

# A folder of a million files takes a minute to walk on a spinning disk.
DEADLINE_S = 120.0
# Ten years; who means more means a mistake.
OLDEST_S = 315_360_000
_TARGETS = frozenset(
    {EntityKind.SERVICE, EntityKind.INSTANCE, EntityKind.HOST, EntityKind.DATABASE}
)
_INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["older_than_s"],
    "properties": {"older_than_s": {"type": "number", "minimum": 60, "maximum": OLDEST_S}},
}


class CleanLogs:
    """Deletes; which folder and which names stands in the targets file."""

    spec = ActionSpec(
        name=CLEAN,
        title="Delete old log files",
        risk=Risk.DESTRUCTIVE,
        targets=_TARGETS,
        inputs=_INPUTS,
        rights="to delete in the log folder of the target",
        irreversible="deleted files are gone; logs.quarantine keeps them",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """The log folder."""
        return f"logs {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Which files, and what they take."""
        return await _seen(order, CLEAN, "delete", world)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Delete them; says what it freed."""
        return await _sent(order, CLEAN, order.values, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """None that was old then may be left."""
        return await _gone(order, CLEAN, world)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """There is none; the spec says so and nobody calls it."""
        return self.spec.irreversible


class QuarantineLogs:
    """Sets aside, in a folder of the same root, from where the undo moves them back."""

    spec = ActionSpec(
        name=QUARANTINE,
        title="Set old log files aside",
        risk=Risk.CHANGE,
        targets=_TARGETS,
        inputs=_INPUTS,
        rights="to move files in the log folder of the target",
        undo="moves them back to where they were",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """The log folder."""
        return f"logs {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Which files, and what they take."""
        return await _seen(order, QUARANTINE, "set aside", world)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Move them to the batch that the rehearsal names."""
        values = {**order.values, "batch": _batch(preview)}
        return await _sent(order, QUARANTINE, values, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """None that was old then may be left."""
        return await _gone(order, QUARANTINE, world)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Move the batch back, never over a file that came meanwhile."""
        return await _sent(order, RESTORE, {"batch": _batch(preview)}, world)


async def _seen(order: Order, verb: str, word: str, world: World) -> Preview:
    found = await look(order, verb, world)
    files, size = found.facts["files"], found.facts["size_bytes"]
    first = found.facts["first"]
    told = f", such as {', '.join(first)}" if isinstance(first, tuple) and first else ""
    noun = "file" if files == 1 else "files"
    says = f"{word} {files} {noun} of {order.target} ({size} bytes){told}"
    return Preview(
        version=found.version, says=says, before={**found.facts, "batch": found.version[:16]}
    )


async def _sent(order: Order, verb: str, values: Values, world: World) -> str:
    return (await send(order, verb, values, world, deadline_s=DEADLINE_S)).says


async def _gone(order: Order, verb: str, world: World) -> Finding:
    found = await look(order, verb, world)
    left = found.facts["files"]
    return Finding(holds=left == 0, says=f"{left} old files are left")


def _batch(preview: Preview) -> str:
    return str(preview.before["batch"])
