"""Workloads as the API tells them: their version, how far a rollout is, which revisions there are.

Sources: `kubectl rollout status`, which reads the same fields; apps/v1 ReplicaSet and
ControllerRevision; Argo Rollouts, `Rollout` v1alpha1.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from opsmith.backends.reach.kubernetes_api import (
    POD,
    ClusterApi,
    Kind,
    Ops,
    Told,
    count_of,
    fields_of,
    items,
    text_of,
)
from opsmith.errors import BadInput, NotFound, OpsmithError

DEPLOYMENT = "deployment"
STATEFUL_SET = "statefulset"
DAEMON_SET = "daemonset"
ROLLOUT = "rollout"
WORKLOADS: Mapping[str, Kind] = {
    DEPLOYMENT: Kind(group="apps", version="v1", plural="deployments", name="Deployment"),
    STATEFUL_SET: Kind(group="apps", version="v1", plural="statefulsets", name="StatefulSet"),
    DAEMON_SET: Kind(group="apps", version="v1", plural="daemonsets", name="DaemonSet"),
    ROLLOUT: Kind(group="argoproj.io", version="v1alpha1", plural="rollouts", name="Rollout"),
}
_REPLICA_SETS = Kind(group="apps", version="v1", plural="replicasets", name="ReplicaSet")
_REVISIONS = Kind(
    group="apps", version="v1", plural="controllerrevisions", name="ControllerRevision"
)
_NUMBERS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
# What controllers put on a template, and nobody writes.
_HASHES = frozenset(
    {"pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash"}
)

# What a container waits for on its way up.
_USUAL = frozenset({"", "ContainerCreating", "PodInitializing"})
_MOST_TOLD = 3
_LONGEST_TOLD = 200
# What a restart puts on a template: the time, as `kubectl rollout restart` does, and the plan.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
PLAN_NOTE = "opsmith/plan"
OWN_NOTES = frozenset({RESTARTED_AT, PLAN_NOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One workload as it is now. word: deployment, statefulset, daemonset or rollout."""

    word: str
    told: Told

    @property
    def kind(self) -> Kind:
        """Its kind as the API names it."""
        return WORKLOADS[self.word]

    @property
    def name(self) -> str:
        """Its name."""
        return text_of(fields_of(self.told, "metadata").get("name"))

    @property
    def namespace(self) -> str:
        """Where it is."""
        return text_of(fields_of(self.told, "metadata").get("namespace"))

    @property
    def version(self) -> str:
        """Changes with whatever it is meant to be, not with how it fares."""
        return version_of(self.told)

    @property
    def replicas(self) -> int:
        """How many pods it is meant to have."""
        return count_of(fields_of(self.told, "spec").get("replicas"), 1)

    @property
    def replicas_told(self) -> str:
        """How many pods it has, in words; a DaemonSet has one on each node."""
        return "a pod on each node" if self.word == DAEMON_SET else f"{self.replicas} pods"

    @property
    def template(self) -> Told:
        """The template of its pods."""
        return fields_of(self.told, "spec", "template")

    @property
    def labels(self) -> str:
        """The selector of its pods, as a query says it."""
        matched = fields_of(self.told, "spec", "selector", "matchLabels")
        return ",".join(f"{name}={text_of(value)}" for name, value in sorted(matched.items()))

    def __str__(self) -> str:
        return f"{self.word}/{self.name} in {self.namespace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rollout is. stuck: it will not get on by itself."""

    done: bool
    says: str
    stuck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An earlier or the present template of a workload, by the object that keeps it."""

    name: str
    number: int
    template: Told

    @property
    def images(self) -> str:
        """What its containers run."""
        return ", ".join(images_of(self.template))


def version_of(told: Told) -> str:
    """Who an object is and what it is meant to be: another one, or another spec, differs.

    `resourceVersion` moves with each write of the status, and is what a patch is bound to.
    """
    meta = fields_of(told, "metadata")
    return f"{text_of(meta.get('uid'))} {count_of(meta.get('generation'))}"


def pinned(told: Told, ops: Ops) -> Ops:
    """Operations that the server refuses (409) once anybody has written the object."""
    seen = text_of(fields_of(told, "metadata").get("resourceVersion"))
    return [{"op": "replace", "path": "/metadata/resourceVersion", "value": seen}, *ops]


def images_of(template: Told) -> list[str]:
    """What the containers of a template run."""
    return [
        text_of(one.get("image")) for one in items(fields_of(template, "spec").get("containers"))
    ]


def progress(workload: Workload) -> Progress:
    """Whether all its pods are of the newest template and available."""
    status = fields_of(workload.told, "status")
    meant = count_of(fields_of(workload.told, "metadata").get("generation"))
    if _observed(status) < meant:
        return Progress(done=False, says="its controller has not seen the change yet")
    match workload.word:
        case "daemonset":
            return _daemon_set(status)
        case "statefulset":
            return _stateful_set(workload, status)
        case "rollout":
            return _argo(workload, status)
    return _deployment(workload, status)


def _observed(status: Told) -> int:
    """Argo tells it as a text."""
    seen = status.get("observedGeneration")
    if isinstance(seen, str):
        return int(seen) if seen.isascii() and seen.isdigit() else 0
    return count_of(seen)


def _deployment(workload: Workload, status: Told) -> Progress:
    for one in items(status.get("conditions")):
        if one.get("reason") == "ProgressDeadlineExceeded":
            says = f"the rollout does not get on: {text_of(one.get('message'))[:200]}"
            return Progress(done=False, says=says, stuck=True)
    wanted, updated = workload.replicas, count_of(status.get("updatedReplicas"))
    total, available = count_of(status.get("replicas")), count_of(status.get("availableReplicas"))
    done = updated == wanted and total == updated and available >= updated
    says = f"{available} of {wanted} pods are available, {updated} of the newest template"
    return Progress(done=done, says=says)


def _stateful_set(workload: Workload, status: Told) -> Progress:
    wanted, ready = workload.replicas, count_of(status.get("readyReplicas"))
    partition = count_of(
        fields_of(workload.told, "spec", "updateStrategy", "rollingUpdate").get("partition")
    )
    updated = count_of(status.get("updatedReplicas"))
    fresh = (
        status.get("updateRevision") == status.get("currentRevision")
        if not partition
        else updated >= wanted - partition
    )
    done = fresh and ready == wanted and count_of(status.get("replicas")) == wanted
    says = f"{ready} of {wanted} pods are ready, {updated} of the newest template"
    return Progress(done=done, says=says)


def _daemon_set(status: Told) -> Progress:
    wanted = count_of(status.get("desiredNumberScheduled"))
    updated = count_of(status.get("updatedNumberScheduled"))
    available = count_of(status.get("numberAvailable"))
    says = f"{available} of {wanted} pods are available, {updated} of the newest template"
    return Progress(done=updated >= wanted and available >= wanted, says=says)


def _argo(workload: Workload, status: Told) -> Progress:
    """A Rollout that pauses at a step of its canary has come as far as it is let."""
    phase = text_of(status.get("phase"))
    available = count_of(status.get("availableReplicas"))
    says = f"it is {phase or 'in no phase'}, {available} of {workload.replicas} pods are available"
    if phase == "Degraded":
        return Progress(
            done=False, says=f"{says}: {text_of(status.get('message'))[:200]}", stuck=True
        )
    return Progress(done=phase in {"Healthy", "Paused"}, says=says)


async def waiting(api: ClusterApi, workload: Workload) -> str:
    """What pods of it wait for, such as an image; nothing where that cannot be seen."""
    try:
        pods = await api.listed(POD, workload.namespace, labels=workload.labels)
    except OpsmithError:
        return ""
    told = dict.fromkeys(
        f"{text_of(one.get('name'))}: {reason}"
        for pod in pods
        for one in items(fields_of(pod, "status").get("containerStatuses"))
        if (reason := text_of(fields_of(one, "state", "waiting").get("reason"))) not in _USUAL
    )
    return ", ".join(list(told)[:_MOST_TOLD])[:_LONGEST_TOLD]


async def revisions(api: ClusterApi, workload: Workload) -> list[Revision]:
    """What is kept of its templates, the newest first."""
    by_controller = workload.word in (STATEFUL_SET, DAEMON_SET)
    kind = _REVISIONS if by_controller else _REPLICA_SETS
    listed = await api.listed(kind, workload.namespace, labels=workload.labels)
    uid = text_of(fields_of(workload.told, "metadata").get("uid"))
    found = [_revision(one) for one in listed if _is_of(one, uid)]
    return sorted(found, key=lambda one: one.number, reverse=True)


def current(workload: Workload, kept: list[Revision]) -> Revision | None:
    """The revision whose template is the workload's own; None when none is kept (yet)."""
    now = bare(workload.template)
    return next((one for one in kept if bare(one.template) == now), None)


def earlier(workload: Workload, kept: list[Revision], values: Mapping[str, object]) -> Revision:
    """The revision that an order means: by name, number, version of an image, or the one before.

    Raises `NotFound` with what there is.
    """
    now = current(workload, kept)
    if "to" in values:
        fits = [one for one in kept if one.name == values["to"]]
    elif "revision" in values:
        fits = [one for one in kept if one.number == values["revision"]]
    elif "version" in values:
        wanted = str(values["version"])
        fits = [one for one in kept if one is not now and _runs(one, wanted)]
    elif now is None:
        raise NotFound(f"No revision of {workload} that runs now is kept.", hint=_there(kept))
    else:
        fits = [one for one in kept if one.number < now.number]
    if not fits:
        raise NotFound(f"{workload} has no such revision to go back to.", hint=_there(kept))
    return fits[0]


def bare(template: Told, *, apart: bool = False) -> object:
    """A template to compare: without what is empty; `apart`: without what opsmith changes too."""
    told = deepcopy(dict(template))
    meta = dict(fields_of(told, "metadata"))
    notes = dict(fields_of(meta, "annotations"))
    if apart:
        notes = {name: one for name, one in notes.items() if name not in OWN_NOTES}
        for one in items(fields_of(told, "spec").get("containers")):
            _without_resources(one)
    return _filled({**told, "metadata": {**meta, "annotations": notes}})


def container_of(workload: Workload, wanted: str) -> tuple[int, Told]:
    """The container that an order means, with its place. Raises `BadInput` when it is open."""
    found = items(fields_of(workload.template, "spec").get("containers"))
    names = [text_of(one.get("name")) for one in found]
    name = wanted or (workload.name if workload.name in names else "")
    if not name and len(found) == 1:
        name = names[0]
    if name not in names:
        raise BadInput(
            f"{workload} has the containers {', '.join(names)}; say which by `container`."
        )
    return names.index(name), found[names.index(name)]


def _without_resources(container: Told) -> None:
    if isinstance(container, dict):
        container.pop("resources", None)


def _filled(value: object) -> object:
    """Without what is empty, since a server leaves that out as it likes."""
    if isinstance(value, dict):
        kept = {name: _filled(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, {}, [], "")}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def _revision(told: Told) -> Revision:
    meta = fields_of(told, "metadata")
    notes = fields_of(meta, "annotations")
    number = next((text_of(notes[one]) for one in _NUMBERS if one in notes), "")
    template = fields_of(told, "spec", "template") or fields_of(told, "data", "spec", "template")
    counted = count_of(told.get("revision"))
    return Revision(
        name=text_of(meta.get("name")),
        number=int(number) if number.isascii() and number.isdigit() else counted,
        template=_plain(template),
    )


def _plain(template: Told) -> Told:
    """A template as somebody wrote it: without the hash by which a controller knows its pods.

    A ControllerRevision is a patch, which also says that it replaces all.
    """
    labels = fields_of(template, "metadata", "labels")
    kept = {name: one for name, one in labels.items() if name not in _HASHES}
    meta = {**fields_of(template, "metadata"), "labels": kept}
    return {**{name: one for name, one in template.items() if name != "$patch"}, "metadata": meta}


def _is_of(told: Told, uid: str) -> bool:
    owners = items(fields_of(told, "metadata").get("ownerReferences"))
    return any(one.get("uid") == uid for one in owners)


def _runs(revision: Revision, version: str) -> bool:
    tags = {one.rpartition(":")[2] for one in images_of(revision.template) if ":" in one}
    return bool(tags & {version, f"v{version}", version.removeprefix("v")})


def _there(kept: list[Revision]) -> str:
    told = "; ".join(f"{one.number}: {one.images}" for one in kept[:5])
    return f"There are {told}." if told else "None is kept (`revisionHistoryLimit`)."
