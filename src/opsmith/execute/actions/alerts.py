"""alert.silence: the alerts of a target are quiet for a while, and never for longer than a day."""

from __future__ import annotations

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order, Values
from opsmith.nouns.task import Risk

SILENCE = "alert.silence"
UNSILENCE = "alert.unsilence"
SHORTEST_S = 60
LONGEST_S = 24 * 3600


class SilenceAlerts:
    """Silences what bears the target's labels, as the targets file has them, and those given."""

    spec = ActionSpec(
        name=SILENCE,
        title="Silence alerts of the target for a while",
        risk=Risk.CHANGE,
        targets=frozenset(EntityKind),
        inputs={
            "type": "object",
            "additionalProperties": False,
            "required": ["for_s"],
            "properties": {
                "for_s": {"type": "integer", "minimum": SHORTEST_S, "maximum": LONGEST_S},
                "match": {
                    "type": "array",
                    "maxItems": 20,
                    "items": {
                        "type": "string",
                        "pattern": r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}=[^\x00-\x1f\x7f]{1,500}$",
                    },
                },
            },
        },
        rights="to write silences in Alertmanager",
        undo="ends the silence",
    )

    def resource(self, order: Order) -> str:
        """All silences of one target."""
        return f"silences {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Which labels are silenced, and what silences stand on them already."""
        found = await look(order, SILENCE, world)
        labels, standing = found.facts["labels"], found.facts["silences"]
        told = ", ".join(labels) if isinstance(labels, tuple) else ""
        firing, length_s = found.facts["firing"], float(str(order.values["for_s"]))
        count = f"{firing} fire" if firing else "none fires"
        says = f"silence alerts with {told} for {length_s / 60:g} min; {count} now"
        if standing:
            says += "; somebody silences the same already"
        return Preview(version=found.version, says=says, before={})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Set the silence; its comment names the plan."""
        return await self._send(order, SILENCE, preview, world)

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """It must stand in Alertmanager, for so long as was asked."""
        found = await look(order, SILENCE, world)
        comments, ends = found.facts["comments"], found.facts["ends"]
        if isinstance(comments, tuple) and isinstance(ends, tuple) and _mark(preview) in comments:
            until = ends[comments.index(_mark(preview))]
            return Finding(holds=True, says=f"Alertmanager has it until {until}")
        return Finding(holds=False, says="Alertmanager has no such silence")

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """End the plan's own silence, and nobody else's."""
        return await self._send(order, UNSILENCE, preview, world)

    async def _send(self, order: Order, verb: str, preview: Preview, world: World) -> str:
        values: Values = {**order.values, "comment": _mark(preview)}
        reply = await send(order, verb, values, world, deadline_s=self.spec.deadline_s)
        return reply.says


def _mark(preview: Preview) -> str:
    return f"opsmith {preview.plan}"
