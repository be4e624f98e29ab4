"""Incident graph: what a recording and its diagnosis say, as nodes and links to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from opsmith.localise.graph_nodes import (
    Loud,
    Told,
    alert_node,
    change_node,
    component_node,
    incident_node,
    loud_templates,
    metric_node,
)
from opsmith.localise.graph_weights import as_parts, correlations, triggers
from opsmith.localise.scene import Scene
from opsmith.nouns.diagnosis import Diagnosis
from opsmith.nouns.entity import Entity
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph
from opsmith.nouns.signals import Alert
from opsmith.nouns.topology import Edge, EdgeKind

# A metric that rose by this many robust spreads is a suspect: the usual three sigma.
SUSPECT_Z = 3.0
# More than a person reads of one incident, little enough that a storm is written in a second.
MOST_METRICS = 60
MOST_ALERTS = 500
MOST_CAUSES = 5
# How an edge of the topology is told in the graph, and whether it changes its direction there:
# an instance is an instance of its service, the service contains it.
_TOLD: Mapping[EdgeKind, tuple[LinkKind, bool]] = {
    EdgeKind.CALLS: (LinkKind.CALLS, False),
    EdgeKind.RUNS_ON: (LinkKind.RUNS_ON, False),
    EdgeKind.CONTAINS: (LinkKind.CONTAINS, False),
    EdgeKind.INSTANCE_OF: (LinkKind.CONTAINS, True),
    EdgeKind.ALIAS_OF: (LinkKind.CONTAINS, True),
}


def incident_graph(scene: Scene, diagnosis: Diagnosis, told: Told) -> Subgraph:
    """The incident, its signals with their weights, its components and what joins them."""
    drawn = _Drawing(diagnosis, told)
    alerts = {alert.fingerprint: alert for alert in scene.recording.alerts}
    heard = list(alerts.values())[:MOST_ALERTS]
    for alert in heard:
        drawn.alert(alert)
    suspects = drawn.metrics(scene)
    loud = drawn.logs(scene)
    drawn.changes(scene)
    drawn.components(scene)
    beside = drawn.beside()
    for metric, alert_id, found in triggers(scene, suspects, heard, beside):
        drawn.link(LinkKind.TRIGGERS, metric, alert_id, weight=found.weight, parts=as_parts(found))
    for first, second, weight, parts in correlations(scene, suspects, heard, loud):
        drawn.link(LinkKind.CORRELATES_WITH, first, second, weight=weight, parts=parts)
    return drawn.graph()


class _Drawing:
    """Nodes and links as they are found; the first of an id stands."""

    def __init__(self, diagnosis: Diagnosis, told: Told) -> None:
        self._diagnosis = diagnosis
        self._seen = told.seen
        incident = incident_node(diagnosis, told)
        self._id = incident.id
        self._nodes: dict[str, Node] = {incident.id: incident}
        self._links: dict[tuple[LinkKind, str, str], Link] = {}
        self._entities: dict[str, Entity] = {}
        self._core: dict[Entity, None] = {}

    def graph(self) -> Subgraph:
        """All of it."""
        return Subgraph(nodes=tuple(self._nodes.values()), links=tuple(self._links.values()))

    def alert(self, alert: Alert) -> None:
        """One alert, about whom it is, and who called."""
        self._signal(alert_node(alert, self._seen), alert.entity)
        if alert.caller is not None:
            self._involve(alert.caller)

    def metrics(self, scene: Scene) -> dict[str, int]:
        """The metrics that the causes rest on and those that rose most; their rows by id."""
        shifts, series = scene.shifts, scene.recording.series
        if shifts is None:
            return {}
        cited = {
            key for cause in self._diagnosis.causes for e in cause.evidence for key in e.series
        }
        size = np.nan_to_num(shifts.rise_z, nan=0.0)
        order = np.argsort(-size, kind="stable").tolist()
        rows = [row for row in order if series[row].key in cited]
        rows += [row for row in order[:MOST_METRICS] if size[row] >= SUSPECT_Z]
        found: dict[str, int] = {}
        for row in list(dict.fromkeys(rows))[:MOST_METRICS]:
            node = metric_node(series[row], shifts, row, self._seen)
            self._signal(node, series[row].entity)
            found[node.id] = row
        return found

    def logs(self, scene: Scene) -> tuple[Loud, ...]:
        """The templates of warnings and worse, each with a line that shows it."""
        logs = scene.recording.logs
        if logs is None:
            return ()
        found = tuple(loud_templates(logs, scene.recording.spans, self._seen))
        for one in found:
            self._signal(one.node, one.owner)
            self._nodes.setdefault(one.line.id, one.line)
            self.link(LinkKind.CONTAINS, one.node.id, one.line.id)
        return found

    def changes(self, scene: Scene) -> None:
        """The changes of the recording and what they changed."""
        for change in scene.recording.changes:
            node = change_node(change, self._seen)
            self._signal(node, None)
            self._involve(change.entity)
            self.link(LinkKind.CHANGED, node.id, str(change.entity))

    def components(self, scene: Scene) -> None:
        """Who else takes part, and what topology and traces say of all of them."""
        path = self._diagnosis.path
        causes = (cause.entity for cause in self._diagnosis.causes[:MOST_CAUSES])
        for entity in (*(path.entities if path else ()), *causes):
            self._involve(entity)
        for edge in scene.recording.topology.edges:
            self._edge(edge)
        for caller in scene.graph.entities:
            for callee in scene.graph.callees.get(caller, ()):
                self._edge(Edge(source=caller, target=callee, kind=EdgeKind.CALLS, origin="seen"))
        for entity in self._core:
            self.link(LinkKind.CONTAINS, self._id, str(entity))

    def beside(self) -> dict[Entity, set[Entity]]:
        """Who is near whom: itself, one link away, or with it on the path to the alert."""
        path = self._diagnosis.path
        way = set(path.entities if path else ())
        near: dict[Entity, set[Entity]] = defaultdict(set)
        for entity in self._entities.values():
            near[entity] |= {entity} | way
        for link in self._links.values():
            source, target = self._entities.get(link.source), self._entities.get(link.target)
            if source is not None and target is not None:
                near[source].add(target)
                near[target].add(source)
        return near

    def link(
        self,
        kind: LinkKind,
        source: str,
        target: str,
        *,
        weight: float = 1.0,
        parts: Mapping[str, float] | None = None,
    ) -> None:
        """Join two nodes that are drawn."""
        self._links.setdefault(
            (kind, source, target),
            Link(
                kind=kind,
                source=source,
                target=target,
                seen=self._seen,
                weight=weight,
                parts=parts or {},
            ),
        )

    def _signal(self, node: Node, owner: Entity | None) -> None:
        self._nodes.setdefault(node.id, node)
        self.link(LinkKind.CONTAINS, self._id, node.id)
        if owner is not None:
            self._involve(owner)
            self.link(LinkKind.CONTAINS, str(owner), node.id)

    def _involve(self, entity: Entity) -> None:
        self._core[entity] = None
        self._draw(entity)

    def _draw(self, entity: Entity) -> None:
        self._entities[str(entity)] = entity
        self._nodes.setdefault(str(entity), component_node(entity, self._seen))

    def _edge(self, edge: Edge) -> None:
        """An edge that touches whoever takes part."""
        if edge.source == edge.target or not {edge.source, edge.target} & self._core.keys():
            return
        self._draw(edge.source)
        self._draw(edge.target)
        kind, turned = _TOLD[edge.kind]
        ends = (edge.target, edge.source) if turned else (edge.source, edge.target)
        key = (kind, str(ends[0]), str(ends[1]))
        self._links.setdefault(
            key,
            Link(kind=kind, source=key[1], target=key[2], seen=self._seen, origin=edge.origin),
        )
