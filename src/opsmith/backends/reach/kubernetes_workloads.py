"""Changes of workloads: what each would make of the object, how it is told that it is done.

Each is worked out from the object as it is now, as a JSON Patch that holds only while nobody else
has written it; nothing is ever forced.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kubernetes.utils import parse_quantity

from opsmith.backends.reach.kubernetes_api import (
    ClusterApi,
    Kind,
    Ops,
    Told,
    count_of,
    fields_of,
    items,
    text_of,
)
from opsmith.backends.reach.kubernetes_objects import (
    DAEMON_SET,
    PLAN_NOTE,
    RESTARTED_AT,
    ROLLOUT,
    Workload,
    bare,
    container_of,
    current,
    earlier,
    revisions,
)
from opsmith.errors import BadInput, Conflict, NotFound
from opsmith.nouns.plan import Value, Values
from opsmith.nouns.task import Risk

MIB = 1024 * 1024
SCALE = "kubernetes.scale"
RESTART = "kubernetes.restart"
ROLLBACK = "kubernetes.rollback"
LIMITS = "kubernetes.limits"
AUTOSCALE = "kubernetes.autoscale"
AUTOSCALERS = Kind(
    group="autoscaling",
    version="v2",
    plural="horizontalpodautoscalers",
    name="HorizontalPodAutoscaler",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an order would make of an object.

    on: the object that is patched, by `ops`, below `sub`; wanted: as it would be.
    before: what an undo needs. already: it is so.
    """

    on: Told
    kind: Kind
    ops: Ops
    wanted: Told
    says: str
    before: Values = field(default_factory=dict)
    already: bool = False
    sub: str = ""
    risk: Risk = Risk.CHANGE
    irreversible: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What changes are worked out with. clock: UTC-aware."""

    api: ClusterApi
    workload: Workload
    clock: Callable[[], datetime]


async def change(site: Site, verb: str, values: Values) -> Change:
    """What `verb` would do to the workload as it is now. Raises `BadInput` for what it cannot."""
    return await _CHANGES[verb](site, values)


async def take_back(site: Site, verb: str, values: Values) -> Change:
    """What puts the workload back as `values` say that it was before `verb`.

    Raises `Conflict` when somebody else has changed it since.
    """
    if verb == SCALE:
        return await _scale_back(site, values)
    if verb == AUTOSCALE:
        return await _bounds_back(site, values)
    return await _template_back(site, verb, values)


async def autoscaler_of(api: ClusterApi, workload: Workload) -> Told | None:
    """The autoscaler that owns the number of replicas, if one does."""
    for one in await api.listed(AUTOSCALERS, workload.namespace):
        target = fields_of(one, "spec", "scaleTargetRef")
        if (target.get("kind"), target.get("name")) == (workload.kind.name, workload.name):
            return one
    return None


def bounds_of(autoscaler: Told) -> tuple[int, int]:
    """The least and the most replicas that an autoscaler chooses; the least is 1 by default."""
    spec = fields_of(autoscaler, "spec")
    return count_of(spec.get("minReplicas"), 1), count_of(spec.get("maxReplicas"))


def name_of(told: Told) -> str:
    """The name of an object."""
    return text_of(fields_of(told, "metadata").get("name"))


async def _scale(site: Site, values: Values) -> Change:
    """Another number of replicas, which is nobody's to say while an autoscaler says it."""
    workload = site.workload
    if workload.word == DAEMON_SET:
        raise BadInput(f"{workload} has one pod on each node, and no number of replicas.")
    scaler = await autoscaler_of(site.api, workload)
    if scaler is not None:
        least, most = bounds_of(scaler)
        raise BadInput(
            f"The autoscaler {name_of(scaler)} chooses the replicas of {workload}"
            f" ({least} to {most}) and would change them back.",
            hint="Change its bounds: `kubernetes.autoscale` with min and max.",
        )
    return _scaled(workload, _wanted_replicas(workload.replicas, values))


def _wanted_replicas(now: int, values: Values) -> int:
    """What an order asks for; what was seen (`replicas`) wins over what it was worked out from."""
    if "replicas" in values:
        wanted = count_of(values["replicas"], -1)
    elif "percent" in values:
        wanted = _more(now, values["percent"])
    else:
        wanted = now + count_of(values.get("by"))
    if wanted < 0 or ("replicas" not in values and wanted == now):
        raise BadInput(f"From {now} replicas that leads to {wanted}; say how many there shall be.")
    return wanted


def _more(now: int, percent: object) -> int:
    """So many per cent more, and one more at least."""
    return max(now + 1, math.ceil(now * (100 + count_of(percent)) / 100))


def _scaled(workload: Workload, wanted: int) -> Change:
    was = workload.replicas
    spec = {**fields_of(workload.told, "spec"), "replicas": wanted}
    return Change(
        on=workload.told,
        kind=workload.kind,
        ops=[{"op": "add", "path": "/spec/replicas", "value": wanted}],
        sub="scale",
        wanted={**workload.told, "spec": spec},
        says=f"{workload}: {was} -> {wanted} replicas",
        before={"was": was, "replicas": wanted},
        already=was == wanted,
        risk=Risk.CHANGE if wanted else Risk.DESTRUCTIVE,
    )


async def _scale_back(site: Site, values: Values) -> Change:
    now, was, ours = site.workload.replicas, count_of(values.get("was")), values.get("replicas")
    if now not in (was, ours):
        raise Conflict(f"Somebody has set {site.workload} to {now} replicas since; it stays so.")
    return _scaled(site.workload, was)


async def _restart(site: Site, values: Values) -> Change:
    """A new template that differs in an annotation, so that pods are replaced as it rolls out."""
    workload = site.workload
    if workload.word == ROLLOUT:
        return _restart_of_argo(site, values)
    _check_rolls(workload, "restart")
    kept = await revisions(site.api, workload)
    now = current(workload, kept)
    template = deepcopy(dict(workload.template))
    meta = dict(fields_of(template, "metadata"))
    plan = str(values.get("plan", ""))
    notes = {**fields_of(meta, "annotations"), RESTARTED_AT: _moment(site.clock())}
    template["metadata"] = {
        **meta,
        "annotations": {**notes, **({PLAN_NOTE: plan} if plan else {})},
    }
    at_once = fields_of(workload.told, "spec", "strategy").get("type") == "Recreate"
    says = "all at once, for its strategy is Recreate" if at_once else "one after the other"
    return _templated(
        workload,
        template,
        says=f"{workload}: restart {workload.replicas_told}, {says}",
        before={"was": now.name if now else ""},
        already=bool(plan) and _plan_of(workload) == plan,
        irreversible="" if now else "what runs now is kept as no revision to go back to",
    )


def _restart_of_argo(site: Site, values: Values) -> Change:
    """Argo restarts the pods in place when it is told since when they should run."""
    workload, plan = site.workload, str(values.get("plan", ""))
    meta = fields_of(workload.told, "metadata")
    notes = {**fields_of(meta, "annotations"), PLAN_NOTE: plan}
    at = _moment(site.clock())
    wanted = {
        **workload.told,
        "metadata": {**meta, "annotations": notes},
        "spec": {**fields_of(workload.told, "spec"), "restartAt": at},
    }
    return Change(
        on=workload.told,
        kind=workload.kind,
        ops=[
            {"op": "add", "path": "/spec/restartAt", "value": at},
            {"op": "add", "path": "/metadata/annotations", "value": notes},
        ],
        wanted=wanted,
        says=f"{workload}: restart {workload.replicas_told}, one after the other",
        already=bool(plan) and fields_of(meta, "annotations").get(PLAN_NOTE) == plan,
        irreversible="Argo restarts pods of one revision in place; there is none to go back to",
    )


async def _rollback(site: Site, values: Values) -> Change:
    """The template of an earlier revision, as a whole."""
    workload = site.workload
    _check_rolls(workload, "go back")
    kept = await revisions(site.api, workload)
    now, to = current(workload, kept), earlier(workload, kept, values)
    running = f"revision {now.number} ({now.images})" if now else "what runs"
    return _templated(
        workload,
        to.template,
        says=f"{workload}: {running} -> revision {to.number} ({to.images})",
        before={"was": now.name if now else "", "to": to.name},
        already=now is not None and now.name == to.name,
        irreversible="" if now else "what runs now is kept as no revision to go back to",
    )


async def _limits(site: Site, values: Values) -> Change:
    """Other limits of one container; a request above its limit comes down with it."""
    workload = site.workload
    _check_rolls(workload, "take limits")
    place, container = container_of(workload, str(values.get("container", "")))
    held = fields_of(container, "resources")
    limits, requests = dict(fields_of(held, "limits")), dict(fields_of(held, "requests"))
    told = []
    quantities = _quantities(values, limits)
    for resource, quantity in quantities.items():
        told.append(f"{resource} {limits.get(resource, 'without limit')} -> {quantity}")
        limits[resource] = quantity
        if _amount(requests.get(resource)) > _amount(quantity):
            requests[resource] = quantity
    if not told:
        raise BadInput("Say cores, memory_mb, or both.")
    resources = {**held, "limits": limits, **({"requests": requests} if requests else {})}
    template = deepcopy(dict(workload.template))
    containers = [dict(one) for one in items(fields_of(template, "spec").get("containers"))]
    containers[place]["resources"] = resources
    template["spec"] = {**fields_of(template, "spec"), "containers": containers}
    now = current(workload, await revisions(site.api, workload))
    same = all(
        _amount(fields_of(held, "limits").get(name)) == _amount(one)
        for name, one in quantities.items()
    )
    return _templated(
        workload,
        template,
        says=f"{workload}, container {text_of(container.get('name'))}: {', '.join(told)}",
        before={"was": now.name if now else "", **_seen(quantities)},
        already=same,
        irreversible="" if now else "what runs now is kept as no revision to go back to",
    )


def _templated(
    workload: Workload,
    template: Told,
    *,
    says: str,
    before: Mapping[str, Value],
    already: bool,
    irreversible: str = "",
) -> Change:
    spec = {**fields_of(workload.told, "spec"), "template": template}
    return Change(
        on=workload.told,
        kind=workload.kind,
        ops=[{"op": "replace", "path": "/spec/template", "value": template}],
        wanted={**workload.told, "spec": spec},
        says=says,
        before=before,
        already=already,
        irreversible=irreversible,
    )


async def _template_back(site: Site, verb: str, values: Values) -> Change:
    """The template that was, unless another change than ours came on top of it."""
    workload, name = site.workload, str(values.get("was", ""))
    kept = await revisions(site.api, workload)
    was = next((one for one in kept if one.name == name), None)
    if was is None:
        raise NotFound(f"{workload} no longer keeps the revision {name or 'that was'}.")
    now = current(workload, kept)
    if now is not None and now.name == was.name:
        return _templated(workload, was.template, says="it is as it was", before={}, already=True)
    ours = (
        now is not None and now.name == values.get("to")
        if verb == ROLLBACK
        else bare(workload.template, apart=True) == bare(was.template, apart=True)
    )
    if not ours:
        raise Conflict(f"Somebody has changed the pods of {workload} since; they stay so.")
    says = f"{workload}: back to revision {was.number} ({was.images})"
    return _templated(workload, was.template, says=says, before={}, already=False)


async def _autoscale(site: Site, values: Values) -> Change:
    """Other bounds of the autoscaler that owns the number of replicas."""
    workload = site.workload
    scaler = await autoscaler_of(site.api, workload)
    if scaler is None:
        raise NotFound(f"No autoscaler owns {workload}; `kubernetes.scale` sets its replicas.")
    least, most = bounds_of(scaler)
    if "now_max" in values:  # as it was seen
        wanted = count_of(values.get("now_min")), count_of(values.get("now_max"))
    else:
        top = _more(most, values["max_percent"]) if "max_percent" in values else most
        wanted = count_of(values.get("min"), least), count_of(values.get("max"), top)
    if not 0 < wanted[0] <= wanted[1]:
        raise BadInput(
            f"An autoscaler chooses from min to max; {wanted[0]} to {wanted[1]} is none."
        )
    return _bounded(scaler, wanted)


def _bounded(scaler: Told, wanted: tuple[int, int]) -> Change:
    least, most = bounds_of(scaler)
    spec = {"minReplicas": wanted[0], "maxReplicas": wanted[1]}
    told = "{} to {}".format
    return Change(
        on=scaler,
        kind=AUTOSCALERS,
        ops=[{"op": "add", "path": f"/spec/{name}", "value": one} for name, one in spec.items()],
        wanted={**scaler, "spec": {**fields_of(scaler, "spec"), **spec}},
        says=f"autoscaler {name_of(scaler)}: {told(least, most)} -> {told(*wanted)} replicas",
        before={"was_min": least, "was_max": most, "now_min": wanted[0], "now_max": wanted[1]},
        already=(least, most) == wanted,
    )


async def _bounds_back(site: Site, values: Values) -> Change:
    scaler = await autoscaler_of(site.api, site.workload)
    if scaler is None:
        raise NotFound(f"No autoscaler owns {site.workload} any more.")
    was = count_of(values.get("was_min")), count_of(values.get("was_max"))
    ours = count_of(values.get("now_min")), count_of(values.get("now_max"))
    if bounds_of(scaler) not in (was, ours):
        raise Conflict(
            f"Somebody has changed the autoscaler {name_of(scaler)} since; it stays so."
        )
    return _bounded(scaler, was)


def _check_rolls(workload: Workload, what: str) -> None:
    """A change of the template must lead to new pods by itself."""
    spec = fields_of(workload.told, "spec")
    if spec.get("paused") is True:
        raise BadInput(f"{workload} is paused and cannot {what}; resume its rollout first.")
    if fields_of(spec, "updateStrategy").get("type") == "OnDelete":
        raise BadInput(f"{workload} replaces pods only when they are deleted; it cannot {what}.")
    if "workloadRef" in spec:
        raise BadInput(f"{workload} takes its pods from another workload; change that one.")


def _plan_of(workload: Workload) -> str:
    return text_of(fields_of(workload.template, "metadata", "annotations").get(PLAN_NOTE))


def _quantities(values: Values, limits: Told) -> dict[str, str]:
    """What is asked for, as Kubernetes writes amounts. limits: those that hold now."""
    cores, memory_mb = values.get("cores"), values.get("memory_mb")
    wanted = {}
    if isinstance(cores, int | float) and not isinstance(cores, bool):
        wanted["cpu"] = f"{round(cores * 1000)}m"
    if "memory_percent" in values and "memory_mb" not in values:
        held = _amount(limits.get("memory"))
        if not held:
            raise BadInput("It has no memory limit that could be raised by so many per cent.")
        memory_mb = math.ceil(held * (100 + count_of(values["memory_percent"])) / 100 / MIB)
    if isinstance(memory_mb, int) and not isinstance(memory_mb, bool):
        wanted["memory"] = f"{memory_mb}Mi"
    return wanted


def _seen(quantities: Mapping[str, str]) -> dict[str, Value]:
    """The memory that was worked out, for an order that says it in per cent."""
    memory = quantities.get("memory")
    return {"memory_mb": int(memory.removesuffix("Mi"))} if memory else {}


def _amount(quantity: object) -> float:
    """An amount of a resource as a number; none is 0."""
    try:
        return float(parse_quantity(quantity)) if quantity is not None else 0.0  # type: ignore[no-untyped-call]
    except ValueError:
        return 0.0


def _moment(at: datetime) -> str:
    """To the second, as `kubectl rollout restart` writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_CHANGES: Mapping[str, Callable[[Site, Values], Awaitable[Change]]] = {
    SCALE: _scale,
    RESTART: _restart,
    ROLLBACK: _rollback,
    LIMITS: _limits,
    AUTOSCALE: _autoscale,
}
