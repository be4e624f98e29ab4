"""script.run: a script that the operator registered for a target, in the sandbox."""

from __future__ import annotations

from opsmith.errors import BadAnswer
from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order
from opsmith.nouns.task import Risk

RUN = "script.run"
VERIFY = "script.verify"
UNDO = "script.undo"
# The most that a registration may ask for; what takes longer belongs on the queue.
DEADLINE_S = 600.0


class RunScript:
    """Runs a registered script; its digest is the version of the step."""

    spec = ActionSpec(
        name=RUN,
        title="Run a registered script in the sandbox",
        risk=Risk.CHANGE,
        targets=frozenset(EntityKind),
        inputs={
            "type": "object",
            "additionalProperties": False,
            "required": ["script"],
            "properties": {
                "script": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,60}$"},
                "parameters": {"type": "string", "maxLength": 16_384},
            },
        },
        rights="what its registration gives it: folders, a user, and no more",
        undo="runs the undo script of the registration",
        deadline_s=DEADLINE_S,
    )

    def resource(self, order: Order) -> str:
        """All scripts of one target, since nobody knows what they have in common."""
        return f"scripts {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Check its digests and parameters, and ask its look script. Runs nothing that changes."""
        found = await look(order, RUN, world)
        facts = found.facts
        now = str(facts["state"]).strip()
        state = f"; now: {now}" if now else ""
        given = order.values.get("parameters", "{}")
        says = (
            f"run {order.values['script']} ({str(facts['sha256'])[:12]}) for {order.target}"
            f" with {given}{state}"
        )
        return Preview(
            version=found.version,
            says=says,
            before=facts,
            irreversible=str(facts["irreversible"]),
            risk=Risk(str(facts["risk"])),
        )

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Run it."""
        return await self._send(RUN, order, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Run its verify script; without one, that it ended with 0 is all that is known."""
        if not preview.before["verifies"]:
            return Finding(holds=True, says="it has no verify script, and ended with 0")
        try:
            return Finding(holds=True, says=await self._send(VERIFY, order, world))
        except BadAnswer as error:
            return Finding(holds=False, says=str(error))

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Run its undo script."""
        return await self._send(UNDO, order, world)

    async def _send(self, verb: str, order: Order, world: World) -> str:
        reply = await send(order, verb, order.values, world, deadline_s=self.spec.deadline_s)
        output = str(reply.facts["output"]).strip()
        return f"{reply.says}: {output}" if output else reply.says
