"""Which rights the account has in a cluster, asked of the cluster (SelfSubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opsmith.backends.reach.kubernetes_api import ClusterApi, Kind, fields_of

_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    name="SelfSubjectAccessReview",
    places=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A verb on a kind of objects, and what it is needed for. sub: a subresource."""

    group: str
    resource: str
    verb: str
    needed: str
    sub: str = ""

    def __str__(self) -> str:
        where = f".{self.group}" if self.group else ""
        sub = f"/{self.sub}" if self.sub else ""
        return f"{self.verb} {self.resource}{sub}{where}"


def _of(group: str, resources: str, verbs: str, needed: str, sub: str = "") -> list[Right]:
    return [
        Right(group=group, resource=resource, verb=verb, needed=needed, sub=sub)
        for resource in resources.split()
        for verb in verbs.split()
    ]


IN_NAMESPACES = (
    *_of("apps", "deployments statefulsets daemonsets", "get patch", "every change"),
    *_of("apps", "deployments statefulsets", "patch", "kubernetes.scale", "scale"),
    *_of("apps", "replicasets controllerrevisions", "list", "restart, rollback, limits"),
    *_of("autoscaling", "horizontalpodautoscalers", "list", "kubernetes.scale"),
    *_of("autoscaling", "horizontalpodautoscalers", "patch", "kubernetes.autoscale"),
    *_of("", "pods", "list", "to tell why a rollout is stuck"),
    *_of("argoproj.io", "rollouts", "get patch", "Argo Rollouts"),
    *_of("argoproj.io", "rollouts", "patch", "kubernetes.scale of Argo Rollouts", "scale"),
    *_of("networking.istio.io", "virtualservices", "get patch", "traffic.shift over Istio"),
    *_of("gateway.networking.k8s.io", "httproutes", "get patch", "traffic.shift over a Gateway"),
)
ON_NODES = (
    *_of("", "nodes", "get list patch", "drain, cordon, uncordon"),
    *_of("", "pods", "list", "kubernetes.drain"),
    *_of("", "pods", "create", "kubernetes.drain", "eviction"),
)


async def rights_told(api: ClusterApi, rights: Iterable[Right], *, namespace: str) -> str:
    """Each right with whether it is there, a line each. namespace: empty for all of them."""
    lines = []
    for one in rights:
        has = await _has(api, one, namespace)
        lines.append(f"{'has' if has else 'LACKS'} {one} ({one.needed})")
    where = f"in {namespace}" if namespace else "in all namespaces"
    return "\n".join([f"{where}:", *lines])


async def _has(api: ClusterApi, right: Right, namespace: str) -> bool:
    asked = {
        "group": right.group,
        "resource": right.resource,
        "subresource": right.sub,
        "verb": right.verb,
        **({"namespace": namespace} if namespace else {}),
    }
    document = {
        "apiVersion": _REVIEW.api_version,
        "kind": _REVIEW.name,
        "spec": {"resourceAttributes": asked},
    }
    told = await api.create(_REVIEW, document)
    return fields_of(told, "status").get("allowed") is True
