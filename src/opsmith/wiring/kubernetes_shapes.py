"""What the targets file says of clusters, and of workloads and nodes in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from opsmith.wiring.paths import AbsolutePath
from opsmith.wiring.source_file import Name, Strict

# RFC 1123: a label, and labels joined by dots.
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DNS = rf"{_LABEL}(\.{_LABEL})*"
Namespace = Annotated[str, Field(pattern=rf"^{_LABEL}$")]
NodeName = Annotated[str, Field(pattern=rf"^{_DNS}$", max_length=253)]
WorkloadName = Annotated[
    str, Field(pattern=rf"^(deployment|statefulset|daemonset|rollout)/{_DNS}$", max_length=270)
]
TrafficName = Annotated[
    str, Field(pattern=rf"^(virtualservice|httproute|rollout)/{_DNS}$", max_length=270)
]


class ClusterShape(Strict):
    """A cluster; without `kubeconfig` the one that opsmith runs in.

    namespaces: where a service is the workload of its name. nodes: a host is the node of its name.
    """

    name: Name
    kubeconfig: AbsolutePath | None = None
    context: str | None = Field(default=None, max_length=300)
    namespaces: tuple[Namespace, ...] = ()
    nodes: bool = False


class ObjectShape(Strict):
    """What one target is in a cluster. manifest: the file that a patch for its owner is for."""

    cluster: Name
    namespace: Namespace | None = None
    workload: WorkloadName | None = None
    traffic: TrafficName | None = None
    node: NodeName | None = None
    manifest: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> ObjectShape:
        named = self.workload is not None or self.traffic is not None
        if named == (self.node is not None):
            raise ValueError("it is a node, or a workload with its traffic")
        if named and self.namespace is None:
            raise ValueError("a workload is in a namespace")
        return self
