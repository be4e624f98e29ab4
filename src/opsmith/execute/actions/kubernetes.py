"""kubernetes.*: workloads and nodes of a cluster, changed the way its own controllers expect.

What a change means for the object at hand (which revision, which pods, whose workload it is) is
known where the cluster is reached; an action here says what it takes, risks and needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsmith.execute.action import ActionSpec, Finding, Preview, World
from opsmith.execute.actions.reads import Read
from opsmith.execute.actions.ways import look, send
from opsmith.nouns.entity import EntityKind
from opsmith.nouns.plan import Order, Value, Values
from opsmith.nouns.task import Risk

PATCH = "kubernetes.patch"
CHECK = "kubernetes.check"
UNDO = "kubernetes.undo"
# Kubernetes gives a rollout ten minutes to get on (`progressDeadlineSeconds`), and so do we.
ROLLOUT_S = 660.0
# Pods end within their grace periods, one budget after the other.
DRAIN_S = 1800.0
# What the way tells a person or policy, beside what an undo needs.
_TOLD = frozenset({"says", "risk", "irreversible"})

_WORKLOADS = frozenset(
    {EntityKind.SERVICE, EntityKind.DATABASE, EntityKind.CACHE, EntityKind.QUEUE}
)
_NODES = frozenset({EntityKind.HOST})

Schema = Mapping[str, object]

# RFC 1123, section 2.1, as Kubernetes takes it for names of namespaces and containers.
_LABEL: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
_WHERE: Mapping[str, Schema] = {
    "namespace": _LABEL,
    "kind": {"type": "string", "enum": ["deployment", "statefulset", "daemonset", "rollout"]},
}
_SCALE: Mapping[str, Schema] = {
    "replicas": {"type": "integer", "minimum": 0, "maximum": 5000},
    "by": {"type": "integer", "minimum": -5000, "maximum": 5000},
    "percent": {"type": "integer", "minimum": 1, "maximum": 1000},
}
_ROLLBACK: Mapping[str, Schema] = {
    "revision": {"type": "integer", "minimum": 1},
    "version": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"},
}
_LIMITS: Mapping[str, Schema] = {
    "container": _LABEL,
    "cores": {"type": "number", "minimum": 0.001, "maximum": 1024},
    "memory_mb": {"type": "integer", "minimum": 4, "maximum": 16_777_216},
    "memory_percent": {"type": "integer", "minimum": 1, "maximum": 1000},
}
_BOUNDS: Mapping[str, Schema] = {
    "min": {"type": "integer", "minimum": 1, "maximum": 5000},
    "max": {"type": "integer", "minimum": 1, "maximum": 5000},
    "max_percent": {"type": "integer", "minimum": 1, "maximum": 1000},
}
_DRAIN: Mapping[str, Schema] = {
    "timeout_s": {"type": "integer", "minimum": 10, "maximum": 1700},
    "grace_s": {"type": "integer", "minimum": 0, "maximum": 3600},
    "delete_local_data": {"type": "boolean"},
    "delete_unmanaged": {"type": "boolean"},
}
SHIFT: Mapping[str, Schema] = {
    "to": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"},
    "weight": {"type": "integer", "minimum": 0, "maximum": 100},
    "via": {"type": "string", "enum": ["virtualservice", "httproute", "rollout"]},
    "route": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$"},
}
_CHANGES = (
    "kubernetes.scale",
    "kubernetes.restart",
    "kubernetes.rollback",
    "kubernetes.limits",
    "kubernetes.autoscale",
    "traffic.shift",
)


def inputs(
    properties: Mapping[str, Schema],
    *,
    required: tuple[str, ...] = (),
    some: tuple[str, ...] = (),
    one: tuple[str, ...] = (),
) -> Schema:
    """A closed schema of an action's values. some, one: of these one at least, or exactly one."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": dict(properties),
        **({"anyOf": [{"required": [name]} for name in some]} if some else {}),
        **({"oneOf": [{"required": [name]} for name in one]} if one else {}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCluster:
    """A change that a cluster carries out. holds: what a step of it holds, before the target."""

    spec: ActionSpec
    holds: str = "process"

    def resource(self, order: Order) -> str:
        """The workload, as other ways to the same target call it, or the node, or its traffic."""
        return f"{self.holds} {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """Fix what is there, and let the API server rehearse the change (`dryRun=All`)."""
        found = await look(order, self.spec.name, world)
        facts = found.facts
        instead = _for_owner(order) if found.owner and self.spec.name in _CHANGES else None
        return Preview(
            version=found.version,
            says=str(facts["says"]),
            before={name: value for name, value in facts.items() if name not in _TOLD},
            owner=found.owner,
            instead=instead,
            irreversible=str(facts.get("irreversible", "")),
            risk=Risk(str(facts.get("risk", Risk.READ))),
        )

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Do it on the very version that was seen, and wait until the cluster has followed."""
        values = {**_bound(order, preview), "seen": preview.version}
        reply = await send(order, self.spec.name, values, world, deadline_s=self.spec.deadline_s)
        return reply.says

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """Whether the cluster is as it should be now."""
        values = {**_bound(order, preview), "of": self.spec.name}
        found = await world.reach(order.target, CHECK).look(order.target, CHECK, values)
        return Finding(holds=found.facts["holds"] is True, says=str(found.facts["says"]))

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Put back what was, unless somebody else has changed it since."""
        values = {**_bound(order, preview), "of": self.spec.name}
        return (await send(order, UNDO, values, world, deadline_s=self.spec.deadline_s)).says


class PatchForOwner:
    """Writes a change as a patch for the GitOps tool that keeps the object; changes nothing."""

    spec = ActionSpec(
        name=PATCH,
        title="Write a change of a workload as a patch for whoever keeps it",
        risk=Risk.READ,
        targets=_WORKLOADS,
        inputs=inputs(
            {
                "change": {"type": "string", "enum": list(_CHANGES)},
                **_WHERE,
                **_SCALE,
                **_ROLLBACK,
                **_LIMITS,
                **_BOUNDS,
                **SHIFT,
            },
            required=("change",),
        ),
        rights="to get the workload and what belongs to it, and to write in opsmith's own folder",
        irreversible="it changes nothing but adds a file to opsmith's own folder",
    )

    def resource(self, order: Order) -> str:
        """Patches do not disturb each other, but one target's are made one at a time."""
        return f"patch {order.target}"

    async def dry_run(self, order: Order, world: World) -> Preview:
        """What the patch would say."""
        found = await look(order, PATCH, world)
        return Preview(version=found.version, says=str(found.facts["says"]), before={})

    async def apply(self, order: Order, preview: Preview, world: World) -> str:
        """Write the patch; says where it lies and where it belongs."""
        values = {**order.values, "seen": preview.version}
        return (await send(order, PATCH, values, world, deadline_s=self.spec.deadline_s)).says

    async def verify(self, order: Order, preview: Preview, world: World) -> Finding:
        """The object must be as it was."""
        found = await look(order, PATCH, world)
        says = "nothing live was changed"
        return Finding(holds=found.version == preview.version, says=says)

    async def undo(self, order: Order, preview: Preview, world: World) -> str:
        """Nothing to put back."""
        return "nothing was changed"


def _for_owner(order: Order) -> Order:
    return Order(
        action=PATCH, target=order.target, values={"change": order.action, **order.values}
    )


def _bound(order: Order, preview: Preview) -> Values:
    """The order with what was seen; a value of the order wins over a fact of the same name."""
    bound: dict[str, Value] = {**preview.before, **order.values}
    return {**bound, "plan": preview.plan}


def _workload(
    name: str, title: str, taken: Schema, *, rights: str, undo: str, deadline_s: float = ROLLOUT_S
) -> OnCluster:
    return OnCluster(
        spec=ActionSpec(
            name=name,
            title=title,
            risk=Risk.CHANGE,
            targets=_WORKLOADS,
            inputs=taken,
            rights=rights,
            undo=undo,
            deadline_s=deadline_s,
        )
    )


def _node(
    name: str, title: str, taken: Schema, *, risk: Risk, rights: str, undo: str
) -> OnCluster:
    return OnCluster(
        spec=ActionSpec(
            name=name,
            title=title,
            risk=risk,
            targets=_NODES,
            inputs=taken,
            rights=rights,
            undo=undo,
            deadline_s=DRAIN_S if risk is Risk.DESTRUCTIVE else 60.0,
        ),
        holds="host",
    )


_READS = "it changes nothing"
_GET = "to get and patch the workload"

ON_CLUSTERS = (
    _workload(
        "kubernetes.scale",
        "Change how many replicas a workload of a cluster has",
        inputs({**_SCALE, **_WHERE}, one=("replicas", "by", "percent")),
        rights=f"{_GET} and its `scale`, and to list its autoscalers",
        undo="sets the number of replicas that was",
    ),
    _workload(
        "kubernetes.restart",
        "Restart the pods of a workload one after the other (rollout restart)",
        inputs(_WHERE),
        rights=f"{_GET}, and to list its revisions",
        undo="puts the pod template back that was, which stops a restart that does not get on",
    ),
    _workload(
        "kubernetes.rollback",
        "Put an earlier revision of a workload in place of the one that runs",
        inputs({**_ROLLBACK, **_WHERE}),
        rights=f"{_GET}, and to list its revisions",
        undo="puts the revision back that ran before",
    ),
    _workload(
        "kubernetes.limits",
        "Change how much processor time and memory the pods of a workload may use",
        inputs({**_LIMITS, **_WHERE}, some=("cores", "memory_mb", "memory_percent")),
        rights=f"{_GET}, and to list its revisions",
        undo="puts the pod template back that was",
    ),
    _workload(
        "kubernetes.autoscale",
        "Change between how many replicas an autoscaler chooses",
        inputs({**_BOUNDS, **_WHERE}, some=("min", "max", "max_percent")),
        rights="to get the workload, and to list and patch its autoscaler",
        undo="sets the bounds that were",
        deadline_s=60.0,
    ),
    _node(
        "kubernetes.drain",
        "Close a node and move its pods elsewhere, within their disruption budgets",
        inputs(_DRAIN),
        risk=Risk.DESTRUCTIVE,
        rights="to list nodes, get and patch this one, list pods, and create their `eviction`",
        undo="opens the node again; pods that have moved stay where they are",
    ),
    _node(
        "kubernetes.cordon",
        "Close a node to new pods",
        inputs({}),
        risk=Risk.CHANGE,
        rights="to get and patch the node",
        undo="opens the node again",
    ),
    _node(
        "kubernetes.uncordon",
        "Open a node to new pods again",
        inputs({}),
        risk=Risk.CHANGE,
        rights="to get and patch the node",
        undo="closes the node again",
    ),
    PatchForOwner(),
    Read(
        spec=ActionSpec(
            name="kubernetes.status",
            title="Tell how a workload stands: rollout, revisions, autoscaler, owner",
            risk=Risk.READ,
            targets=_WORKLOADS,
            inputs=inputs(_WHERE),
            rights="to get the workload, and to list its revisions and autoscalers",
            irreversible=_READS,
        )
    ),
    Read(
        spec=ActionSpec(
            name="kubernetes.access",
            title="Ask the cluster which rights opsmith has there",
            risk=Risk.READ,
            targets=_WORKLOADS | _NODES,
            inputs=inputs({"namespace": _LABEL}),
            rights="none but those of every account (SelfSubjectAccessReview)",
            irreversible=_READS,
        )
    ),
)
