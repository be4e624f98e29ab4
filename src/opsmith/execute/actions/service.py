"""Actions on a running service and what it leans on: restart, roll back, limit, clear, flush."""

from __future__ import annotations

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order, Values
from opsmith.nouns.task import Risk

RESTART = "service.restart"
ROLLBACK = "service.rollback"
DEPLOY = "service.deploy"
LIMIT = "service.limit"
CONFIG_ROLLBACK = "config.rollback"
CONFIG_SET = "config.set"
CLEAR = "disk.clear"
FLUSH = "cache.flush"

# An orderly stop may take half a minute (Kubernetes' default grace), the start as long again.
DEADLINE_S = 60.0
_PARTS = frozenset(
    {
        EntityKind.SERVICE,
        EntityKind.INSTANCE,
        EntityKind.DATABASE,
        EntityKind.CACHE,
        EntityKind.QUEUE,
        EntityKind.EDGE,
    }
)
_SERVICES = frozenset({EntityKind.SERVICE})
_NOTHING = {"type": "object", "additionalProperties": False, "properties": {}}


class Restart:
    """Stops it in an orderly way and starts it; for an edge, its proxy."""

    spec = ActionSpec(
        name=RESTART,
        title="Restart a service, a store, or the proxy of an edge",
        risk=Risk.CHANGE,
        targets=_PARTS,
        inputs=_NOTHING,
        rights="to restart the target",
        irreversible="what a process held in memory is gone once it stops",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """The process."""
        return f"process {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """How often it was restarted so far, so that it is done once."""
        found = await look(order, RESTART, world)
        before = {"restarts": found.facts.get("restarts", found.version)}
        says = f"restart {order.target}"
        return Preview(version=found.version, says=says, before=before, owner=found.owner)

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Restart it, unless somebody has since the rehearsal."""
        return await _send(order, RESTART, {"after": preview.before["restarts"]}, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """It must have started anew and run."""
        found = await look(order, RESTART, world)
        runs = bool(found.facts.get("running", True))
        holds = runs and found.version != preview.version
        return Finding(holds=holds, says="it runs" if runs else "it does not run")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """There is none; the spec says so and nobody calls it."""
        return self.spec.irreversible


class RollBack:
    """Puts the version before in the place of the one that runs."""

    spec = ActionSpec(
        name=ROLLBACK,
        title="Roll a service back to the version before",
        risk=Risk.CHANGE,
        targets=_SERVICES,
        inputs=_NOTHING,
        rights="to deploy the target",
        undo="deploys the version again that was rolled back",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """The process."""
        return f"process {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Which version runs."""
        found = await look(order, ROLLBACK, world)
        now = found.facts.get("version", found.version)
        says = f"roll {order.target} back from {now}"
        return Preview(
            version=found.version, says=says, before={"version": now}, owner=found.owner
        )

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Roll back, if the version that was seen still runs."""
        found = await look(order, ROLLBACK, world)
        if found.version != preview.version:
            return f"nothing: {found.version} runs already"
        return await _send(order, ROLLBACK, {}, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Another version must run."""
        found = await look(order, ROLLBACK, world)
        runs = bool(found.facts.get("running", True))
        says = f"{found.facts.get('version', found.version)} {'runs' if runs else 'does not run'}"
        return Finding(holds=runs and found.version != preview.version, says=says)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Deploy what ran before."""
        return await _send(order, DEPLOY, {"version": preview.before["version"]}, world)


class Limit:
    """Changes what it may use."""

    spec = ActionSpec(
        name=LIMIT,
        title="Change how much processor time and memory a service may use",
        risk=Risk.CHANGE,
        targets=_SERVICES,
        inputs={
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "cores": {"type": "number", "exclusiveMinimum": 0, "maximum": 1024},
                "memory_mb": {"type": "integer", "minimum": 4, "maximum": 16_777_216},
            },
        },
        rights="to set limits of the target",
        undo="sets the limits that held before",
    )

    def resource(self, order: Order) -> str:
        """Its limits."""
        return f"limits {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """What holds now."""
        found = await look(order, LIMIT, world)
        before = {name: found.facts[name] for name in ("cores", "memory_mb")}
        new = ", ".join(f"{key}: {before[key]} -> {value}" for key, value in _sorted(order))
        return Preview(
            version=found.version,
            says=f"{order.target}: {new}",
            before=before,
            owner=found.owner,
        )

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Set them."""
        return await _send(order, LIMIT, order.values, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Read them back."""
        found = await look(order, LIMIT, world)
        holds = all(found.facts.get(key) == value for key, value in order.values.items())
        says = f"it may use {found.facts['cores']} cores and {found.facts['memory_mb']} MB"
        return Finding(holds=holds, says=says)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Set what held before."""
        return await _send(order, LIMIT, preview.before, world)


class RollBackConfig:
    """Takes back the setting that was put out last."""

    spec = ActionSpec(
        name=CONFIG_ROLLBACK,
        title="Take back the last change of a service's settings",
        risk=Risk.CHANGE,
        targets=_SERVICES,
        inputs=_NOTHING,
        rights="to configure the target",
        undo="sets each setting again as it was",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """The configuration, as `config.set` has it."""
        return f"config {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """The settings that hold now."""
        found = await look(order, CONFIG_ROLLBACK, world)
        settings = found.facts.get("settings", ())
        told = ", ".join(settings) if isinstance(settings, tuple) else ""
        return Preview(
            version=found.version,
            says=f"take back the last change of {order.target} (now {told})",
            before={"settings": settings},
            owner=found.owner,
        )

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Take it back, if the settings are still those that were seen."""
        found = await look(order, CONFIG_ROLLBACK, world)
        if found.version != preview.version:
            return "nothing: the settings have changed already"
        return await _send(order, CONFIG_ROLLBACK, {}, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Other settings must hold, and it must run."""
        found = await look(order, CONFIG_ROLLBACK, world)
        runs = bool(found.facts.get("running", True))
        settings = found.facts.get("settings", ())
        told = ", ".join(settings) if isinstance(settings, tuple) else ""
        return Finding(holds=runs and found.version != preview.version, says=f"now {told}")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Set each again."""
        settings = preview.before.get("settings", ())
        for one in settings if isinstance(settings, tuple) else ():
            key, _, value = one.partition("=")
            await _send(order, CONFIG_SET, {"key": key, "value": value}, world)
        return "set as before"


class ClearDisk:
    """Removes what may be removed from a service's volume."""

    spec = ActionSpec(
        name=CLEAR,
        title="Remove dumps and other leftovers from a service's volume",
        risk=Risk.DESTRUCTIVE,
        targets=_SERVICES,
        inputs=_NOTHING,
        rights="to delete leftovers on the volume of the target",
        irreversible="deleted files are gone",
    )

    def resource(self, order: Order) -> str:
        """The volume."""
        return f"volume {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """How full it is."""
        found = await look(order, CLEAR, world)
        used = found.facts.get("volume_used_bytes", 0)
        says = f"clear the volume of {order.target} ({used} bytes are used)"
        return Preview(version=found.version, says=says, before={"volume_used_bytes": used})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Remove them."""
        return await _send(order, CLEAR, {}, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """It must hold less than before."""
        found = await look(order, CLEAR, world)
        now, then = found.facts["volume_used_bytes"], preview.before["volume_used_bytes"]
        holds = isinstance(now, int) and isinstance(then, int) and now < then
        return Finding(holds=holds, says=f"{now} bytes are used, {then} were")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """There is none; the spec says so and nobody calls it."""
        return self.spec.irreversible


class FlushCache:
    """Drops everything that a cache keeps."""

    spec = ActionSpec(
        name=FLUSH,
        title="Drop everything that a cache keeps",
        risk=Risk.DESTRUCTIVE,
        targets=frozenset({EntityKind.CACHE}),
        inputs=_NOTHING,
        rights="to flush the target",
        irreversible="what was kept only there is gone",
    )

    def resource(self, order: Order) -> str:
        """The cache."""
        return f"process {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Whether it is there."""
        found = await look(order, FLUSH, world)
        return Preview(version=found.version, says=f"flush {order.target}", before={})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Flush it."""
        return await _send(order, FLUSH, {}, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """It must still run; how full it is changes by the second."""
        found = await look(order, FLUSH, world)
        runs = bool(found.facts.get("running", True))
        return Finding(holds=runs, says="it runs" if runs else "it does not run")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """There is none; the spec says so and nobody calls it."""
        return self.spec.irreversible


async def _send(order: Order, verb: str, values: Values, world: World) -> str:
    return (await send(order, verb, values, world, deadline_s=DEADLINE_S)).says


def _sorted(order: Order) -> list[tuple[str, object]]:
    return sorted(order.values.items())
