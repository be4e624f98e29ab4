"""Who calls whom, by metrics that name both ends of a call.

Sources: Istio, "Istio Standard Metrics"; Grafana Tempo, "Service graphs"; Cilium Hubble,
"Metrics, flow context labels".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opsmith.errors import BadInput
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.series import Series
from opsmith.nouns.topology import Edge, EdgeKind

ORIGIN = "metrics"
# Long enough that a call every minute is seen at each question.
WINDOW = "10m"

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NOBODY = frozenset({"", "unknown", "none", "user", "reserved:world", "reserved:unknown"})
# Pods of a Deployment end in two hashes, of a StatefulSet in a number, as in `label_rules`.
_POD_OF_SET = re.compile(r"(-[a-z0-9]{6,10}-[a-z0-9]{5}|-\d{1,4})$")
_KINDS = {"database": EntityKind.DATABASE, "messaging_system": EntityKind.QUEUE}
# Tempo tells by this label what the server side of an edge is.
CONNECTION = "connection_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMetric:
    """A counter of calls and its labels for both ends. pods: the ends are `NAMESPACE/POD`."""

    metric: str
    caller: str
    callee: str
    pods: bool = False

    def __post_init__(self) -> None:
        if not _METRIC.fullmatch(self.metric):
            raise BadInput(f"{self.metric[:80]!r} cannot name a metric.")
        for label in (self.caller, self.callee):
            if not _LABEL.fullmatch(label):
                raise BadInput(f"{label[:80]!r} cannot name a label.")

    def question(self) -> str:
        """Which pairs had a call lately, in PromQL."""
        labels = f"{self.caller}, {self.callee}, {CONNECTION}"
        return f"sum by ({labels}) (rate({self.metric}[{WINDOW}])) > 0"


KNOWN = (
    CallMetric(
        metric="istio_requests_total", caller="source_workload", callee="destination_workload"
    ),
    CallMetric(
        metric="istio_tcp_connections_opened_total",
        caller="source_workload",
        callee="destination_workload",
    ),
    CallMetric(metric="traces_service_graph_request_total", caller="client", callee="server"),
    CallMetric(
        metric="hubble_flows_processed_total",
        caller="source_workload",
        callee="destination_workload",
    ),
    CallMetric(
        metric="hubble_flows_processed_total", caller="source", callee="destination", pods=True
    ),
)


def edges(found: Iterable[Series], told: CallMetric) -> Iterator[Edge]:
    """The calls that the answer to a question names."""
    for series in found:
        labels = dict(series.labels)
        kind = _KINDS.get(labels.get(CONNECTION, ""), EntityKind.SERVICE)
        caller = _end(labels.get(told.caller, ""), EntityKind.SERVICE, told)
        callee = _end(labels.get(told.callee, ""), kind, told)
        if caller and callee and caller != callee:
            yield Edge(source=caller, target=callee, kind=EdgeKind.CALLS, origin=ORIGIN)


def _end(name: str, kind: EntityKind, told: CallMetric) -> Entity | None:
    if told.pods:
        name = _POD_OF_SET.sub("", name.rpartition("/")[2])
    return None if name in _NOBODY else Naming().entity(kind, name)
