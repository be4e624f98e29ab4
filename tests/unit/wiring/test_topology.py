"""What a question about calls is answered from: the topology file, and the graph of incidents."""

from datetime import UTC, datetime
from pathlib import Path

from opsmith.backends.graph.embedded import EmbeddedGraph
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph
from opsmith.nouns.session import Principal
from opsmith.parse.dialogue import State
from opsmith.settings import Settings
from opsmith.wiring.ask import Asker, AskSources, reply_to
from opsmith.wiring.topology import around

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def remembered(folder: Path) -> Settings:
    """A data folder whose graph knows that checkout calls payments, and of an incident."""
    graph = EmbeddedGraph(folder / "graph.db")
    nodes = ("service:checkout", "service:payments", "incident:i-1")
    links = (
        Link(kind=LinkKind.CALLS, source=nodes[0], target=nodes[1], seen=AT, origin="traces"),
        Link(kind=LinkKind.CONTAINS, source=nodes[2], target=nodes[1], seen=AT),
    )
    await graph.write(
        Subgraph(nodes=tuple(Node(id=one, name=one, seen=AT) for one in nodes), links=links)
    )
    await graph.aclose()
    return Settings(data_dir=folder)


async def test_calls_are_known_from_the_graph_and_nothing_else_of_it(tmp_path: Path) -> None:
    settings = await remembered(tmp_path)

    known, lacks = await around(settings, ["payments"])

    assert [(str(one.source), str(one.target), one.origin) for one in known.edges] == [
        ("service:checkout", "service:payments", "traces")
    ]
    assert lacks == ()


async def test_a_question_about_calls_is_answered_from_the_graph(tmp_path: Path) -> None:
    settings = await remembered(tmp_path)
    (tmp_path / "names.yaml").write_text("services: [checkout, payments]")

    async with Asker(settings, AskSources(inventory=tmp_path / "names.yaml")) as asker:
        reply, _ = await reply_to(
            asker, "what depends on payments", State(), by=Principal(name="ann")
        )

    assert "service:checkout" in reply.answers[0].said[0]


async def test_nothing_known_is_nothing(tmp_path: Path) -> None:
    assert (await around(Settings(data_dir=tmp_path), ["cart"]))[0].edges == ()
    assert not (tmp_path / "graph.db").exists()
