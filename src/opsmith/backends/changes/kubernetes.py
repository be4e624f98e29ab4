"""Changes from a Kubernetes cluster: rollouts of Deployments and Argo Rollouts, scaling, nodes.

A rollout is a new ReplicaSet; that it went back or was aborted, that something was scaled or a
node taken out is told by events and by the Rollout's own state.
Sources: Kubernetes API, apps/v1 ReplicaSet and v1 Event; Argo Rollouts, `Rollout` v1alpha1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path

from opsmith.errors import BadAnswer, BadInput, MissingExtra, OpsmithError, Unreachable
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.redaction import redact
from opsmith.nouns.signals import Change, ChangeKind

try:
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError
except ImportError as error:
    raise MissingExtra(
        "Reading changes from Kubernetes needs its client.",
        hint="pip install 'opsmith[kubernetes]'",
    ) from error

TIMEOUT_S = 20.0
PAGE = 500
MOST_PAGES = 40
REVISIONS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
ARGO = ("argoproj.io", "v1alpha1", "rollouts")
ROLLOUTS = "rollouts of Argo"
# Reasons of events that say that somebody or something changed the world, not that it is ill.
REASONS = {
    "SuccessfulRescale": ChangeKind.SCALE,
    "ScalingReplicaSet": ChangeKind.SCALE,
    "NodeNotSchedulable": ChangeKind.INFRA,
    "NodeSchedulable": ChangeKind.INFRA,
    "RegisteredNode": ChangeKind.INFRA,
    "RemovingNode": ChangeKind.INFRA,
    "DeploymentRollback": ChangeKind.DEPLOY,
    "RolloutAborted": ChangeKind.DEPLOY,
    "RolloutPaused": ChangeKind.DEPLOY,
    "RolloutResumed": ChangeKind.DEPLOY,
    "RolloutCompleted": ChangeKind.DEPLOY,
}
_OWNERS = frozenset({"Deployment", "Rollout", "StatefulSet", "HorizontalPodAutoscaler"})
_LONGEST_SUMMARY = 400

Told = Mapping[str, object]


class KubernetesChanges:
    """The changes seam over one cluster.

    kubeconfig: its file, None for the account of the pod that opsmith runs in.
    namespace: empty for all.
    """

    def __init__(
        self, kubeconfig: Path | None, *, context: str | None = None, namespace: str = ""
    ) -> None:
        made = client.Configuration()
        try:
            if kubeconfig is None:
                config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
            else:
                config.load_kube_config(str(kubeconfig), context, client_configuration=made)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError, ValueError, TypeError) as error:
            raise BadInput(f"No cluster is known: {str(error)[:200]}.") from error
        made.retries = 1
        self._api = client.ApiClient(made)
        self._ask = self._verbs(namespace)

    async def since(self, start: datetime) -> tuple[Change, ...]:
        """Rollouts, events and aborted Argo Rollouts since."""
        found = await asyncio.to_thread(self._all)
        fresh = [change for change in found if change.at >= start]
        return tuple(sorted(fresh, key=lambda change: (change.at, change.entity)))

    def _all(self) -> list[Change]:
        return [*self._rollouts(), *self._events(), *self._argo()]

    def _rollouts(self) -> Iterator[Change]:
        """Each ReplicaSet that a Deployment or Rollout made."""
        for told in self._listed("replicasets"):
            meta = _fields(told, "metadata")
            owner = next(iter(_items(meta.get("ownerReferences"))), {})
            notes = _fields(meta, "annotations")
            revision = next((_text(notes[one]) for one in REVISIONS if one in notes), "")
            at = _moment(meta.get("creationTimestamp"))
            if at is not None and revision and _text(owner.get("kind")) in _OWNERS:
                pod = _fields(_fields(_fields(told, "spec"), "template"), "spec")
                images = [_text(one.get("image")) for one in _items(pod.get("containers"))]
                summary = f"revision {revision}: {', '.join(images)}"
                version = images[0].rpartition("/")[2] if images else revision
                yield from _change(at, owner, ChangeKind.DEPLOY, summary, version)

    def _events(self) -> Iterator[Change]:
        for told in self._listed("events"):
            about, reason = _fields(told, "involvedObject"), _text(told.get("reason"))
            at = (
                _moment(told.get("firstTimestamp"))
                or _moment(told.get("eventTime"))
                or _moment(_fields(told, "metadata").get("creationTimestamp"))
            )
            if at is not None and reason in REASONS:
                summary = f"{reason}: {_text(told.get('message'))}"
                yield from _change(at, about, REASONS[reason], summary, "")

    def _argo(self) -> Iterator[Change]:
        """Rollouts that were aborted: from then on the old version serves again."""
        for told in self._listed(ROLLOUTS):
            status = _fields(told, "status")
            at = _moment(status.get("abortedAt"))
            if status.get("abort") is True and at is not None:
                about = {"kind": "Rollout", "name": _fields(told, "metadata").get("name")}
                summary = f"rollout aborted: {_text(status.get('message'))}"
                yield from _change(at, about, ChangeKind.DEPLOY, summary, "")

    def _listed(self, what: str) -> Iterator[Told]:
        """The items of a list, page by page; nothing of a kind that the cluster has not."""
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self._page(what, after)
            yield from _items(answer.get("items"))
            mark = _text(_fields(answer, "metadata").get("continue"))
            if not mark:
                return
            after = {"_continue": mark}

    def _page(self, what: str, after: Mapping[str, str]) -> Told:
        asked = {"limit": PAGE, "_request_timeout": TIMEOUT_S, **after}
        try:
            found = self._ask[what](**asked)
            told: object = self._api.sanitize_for_serialization(found)  # type: ignore[no-untyped-call]
        except client.ApiException as error:
            if what == ROLLOUTS and error.status == HTTPStatus.NOT_FOUND:
                return {}
            raise _refusal(error, what) from error
        except (HTTPError, OSError) as error:
            raise Unreachable(f"The cluster did not answer ({str(error)[:200]}).") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise BadAnswer(f"The cluster answered {what} with what they cannot be.") from error
        return told if isinstance(told, dict) else {}

    def _verbs(self, namespace: str) -> dict[str, Callable[..., object]]:
        """What lists each kind, in one namespace or in all."""
        core, apps = client.CoreV1Api(self._api), client.AppsV1Api(self._api)
        custom = client.CustomObjectsApi(self._api)
        if not namespace:
            return {
                "events": core.list_event_for_all_namespaces,
                "replicasets": apps.list_replica_set_for_all_namespaces,
                ROLLOUTS: partial(custom.list_cluster_custom_object, *ARGO),
            }
        group, version, plural = ARGO
        return {
            "events": partial(core.list_namespaced_event, namespace),
            "replicasets": partial(apps.list_namespaced_replica_set, namespace),
            ROLLOUTS: partial(
                custom.list_namespaced_custom_object, group, version, namespace, plural
            ),
        }


def _refusal(error: client.ApiException, what: str) -> OpsmithError:
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return BadInput(
            f"The cluster does not let us list {what} (HTTP {error.status}).",
            hint="Give the account the verb `list` on them.",
        )
    return Unreachable(f"The cluster failed to list {what} (HTTP {error.status}).")


def _change(
    at: datetime, about: Told, kind: ChangeKind, summary: str, version: str
) -> Iterator[Change]:
    name = _text(about.get("name"))
    which = EntityKind.HOST if about.get("kind") == "Node" else EntityKind.SERVICE
    if about.get("kind") in (_OWNERS | {"Node"}):
        try:
            entity = Entity(kind=which, name=name)
        except BadInput:
            return
        yield Change(
            at=at,
            entity=entity,
            kind=kind,
            summary=redact(summary[:_LONGEST_SUMMARY]),
            version=version[:200] or None,
        )


def _fields(told: Told, key: str) -> Told:
    value = told.get(key)
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[Told]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
