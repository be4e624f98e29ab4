"""A recorded incident into a graph and its slice back, on a recording that is shipped."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from opsmith.flows.investigate import Investigation, investigate
from opsmith.flows.remember import Memory
from opsmith.localise.graph_nodes import Told
from opsmith.localise.incident_graph import incident_graph
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.graph import LinkKind, NodeKind
from opsmith.testing.graph import MemoryGraph

BUNDLE = Path(__file__).parents[2] / "examples" / "incidents" / "bad-deploy"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@cache
def found() -> Investigation:
    return investigate(BUNDLE, top=1, path_weights=PathWeights.BOTTLENECK)


def told(name: str = "i1", *, seen: datetime = NOW) -> Told:
    return Told(name=name, title="Slow", state="open", sentence="It is so.", seen=seen)


def test_the_report_tells_what_the_graph_weighs() -> None:
    report = found().report

    assert "may have set off" in report.markdown
    assert "may have set off" in report.html


def test_an_incident_is_drawn_with_its_signals_components_and_change() -> None:
    part = incident_graph(found().scene, found().diagnosis, told())

    kinds = Counter(node.kind for node in part.nodes)
    assert kinds[NodeKind.INCIDENT] == 1
    assert kinds[NodeKind.ALERT] == len({a.fingerprint for a in found().recording.alerts})
    assert all(kinds[kind] for kind in (NodeKind.METRIC, NodeKind.SERVICE, NodeKind.CHANGE))
    links = Counter(link.kind for link in part.links)
    assert all(links[kind] for kind in (LinkKind.TRIGGERS, LinkKind.CALLS, LinkKind.CHANGED))
    assert {end for link in part.links for end in (link.source, link.target)} <= {
        node.id for node in part.nodes
    }


def test_every_weight_is_told_with_its_parts() -> None:
    part = incident_graph(found().scene, found().diagnosis, told())

    triggers = [link for link in part.links if link.kind is LinkKind.TRIGGERS]
    together = [link for link in part.links if link.kind is LinkKind.CORRELATES_WITH]
    assert all(0 <= link.weight <= 1 for link in part.links)
    assert all(
        abs(0.7 * one.parts["decay"] + 0.3 * one.parts["overlap"] - one.weight) < 1e-9
        for one in triggers
    )
    assert together
    assert all(one.parts["together"] <= one.parts["bins"] for one in together)


def test_a_log_line_is_drawn_with_its_trace() -> None:
    part = incident_graph(found().scene, found().diagnosis, told())

    lines = [node for node in part.nodes if node.kind is NodeKind.LOG_EVENT]
    assert lines
    assert any(len(line.texts["trace_id"]) == 32 for line in lines)


async def test_a_slice_is_read_back_and_what_is_old_is_let_go() -> None:
    graph = MemoryGraph()
    memory = Memory(graph, keep=timedelta(days=30))
    await memory.keep(found().scene, found().diagnosis, told("old", seen=NOW - timedelta(days=99)))

    part = await memory.keep(found().scene, found().diagnosis, told("new"))

    around = await memory.slice("new", hops=3, most=1000)
    assert {node.id for node in part.nodes} == {node.id for node in around.nodes}
    assert not (await memory.slice("old", hops=3, most=10)).nodes
