"""A graph in memory, and the promises that every graph keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.errors import BadInput
from opsmith.nouns.graph import Link, LinkKind, Node, NodeKind, Subgraph
from opsmith.seams.graph import Around, CypherGraph, Graph

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)
SECOND = timedelta(seconds=1)
Key = tuple[LinkKind, str, str]


class MemoryGraph:
    """Keeps the promises of `Graph` in two dictionaries; it speaks no Cypher."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._links: dict[Key, Link] = {}

    async def write(self, part: Subgraph) -> None:
        incidents = {node.id for node in part.nodes if node.kind is NodeKind.INCIDENT}
        for key in [k for k in self._links if k[0] is LinkKind.CONTAINS and k[1] in incidents]:
            del self._links[key]
        self._nodes.update((node.id, node) for node in part.nodes)
        for link in part.links:
            if link.source in self._nodes and link.target in self._nodes:
                self._links[link.key] = link

    async def read(self, wanted: Around) -> Subgraph:
        if not wanted.start:
            return self._everything(wanted.most)
        return self._around(wanted) if wanted.start in self._nodes else Subgraph()

    def _around(self, wanted: Around) -> Subgraph:
        touching: defaultdict[str, list[Link]] = defaultdict(list)
        for link in self._links.values():
            touching[link.source].append(link)
            touching[link.target].append(link)
        near, links, edge, cut = {wanted.start: None}, dict[Key, Link](), [wanted.start], False
        for _ in range(wanted.hops):
            if edge and len(near) > wanted.enough:
                cut = True
                break
            rim: list[str] = []
            for here in edge:
                for link in touching[here]:
                    fresh = [end for end in (link.source, link.target) if end not in near]
                    if len(near) + len(fresh) > wanted.most:
                        cut = True
                        continue
                    links[link.key] = link
                    near.update(dict.fromkeys(fresh))
                    rim += [end for end in fresh if not end.startswith("incident:")]
            edge = rim
        nodes = tuple(self._nodes[name] for name in near)
        return Subgraph(nodes=nodes, links=tuple(links.values()), cut=cut)

    async def forget(self, *, before: datetime) -> int:
        old = [name for name, node in self._nodes.items() if node.seen < before]
        for name in old:
            del self._nodes[name]
        self._links = {
            key: link
            for key, link in self._links.items()
            if link.seen >= before and {link.source, link.target} <= self._nodes.keys()
        }
        return len(old)

    async def count(self) -> tuple[int, int]:
        return len(self._nodes), len(self._links)

    def _everything(self, most: int) -> Subgraph:
        nodes = {name: self._nodes[name] for name in list(self._nodes)[:most]}
        links = [k for k in self._links.values() if {k.source, k.target} <= nodes.keys()]
        return Subgraph(
            nodes=tuple(nodes.values()), links=tuple(links), cut=len(self._nodes) > most
        )


def incident(name: str = "i1", *, seen: datetime = NOW) -> Subgraph:
    """An incident with an alert, a metric that set it off, two services and a host."""
    nodes = (
        Node(id=f"incident:{name}", name=name, seen=seen, numbers={"confidence": 0.5}),
        Node(id="alert:f1", name="Slow", seen=seen, texts={"severity": "critical", "endsAt": ""}),
        Node(id="metric:cpu", name="cpu", seen=seen, numbers={"value": 0.98}),
        *(Node(id=f"service:{one}", name=one, seen=seen) for one in ("cart", "db")),
        Node(id="host:h1", name="h1", seen=seen),
    )
    links = (
        link(LinkKind.CONTAINS, f"incident:{name}", "alert:f1", seen=seen),
        link(LinkKind.CONTAINS, f"incident:{name}", "metric:cpu", seen=seen),
        link(LinkKind.CONTAINS, "service:cart", "alert:f1", seen=seen),
        Link(
            kind=LinkKind.TRIGGERS,
            source="metric:cpu",
            target="alert:f1",
            seen=seen,
            weight=0.82,
            parts={"delay_s": 8.0, "decay": 1.0, "overlap": 0.4},
        ),
        link(LinkKind.CALLS, "service:cart", "service:db", seen=seen),
        link(LinkKind.RUNS_ON, "service:db", "host:h1", seen=seen),
    )
    return Subgraph(nodes=nodes, links=links)


def link(kind: LinkKind, source: str, target: str, *, seen: datetime = NOW) -> Link:
    """A link of full weight."""
    return Link(kind=kind, source=source, target=target, seen=seen, origin="test")


def ids(part: Subgraph) -> set[str]:
    return {node.id for node in part.nodes}


def keys(part: Subgraph) -> set[Key]:
    return {one.key for one in part.links}


async def check_what_was_written_is_read_back_whole(graph: Graph) -> None:
    part = incident()

    await graph.write(part)

    found = await graph.read(Around())
    assert _by_id(found.nodes) == _by_id(part.nodes)
    assert {one.key: one for one in found.links} == {one.key: one for one in part.links}
    assert not found.cut


async def check_writing_again_renews_and_doubles_nothing(graph: Graph) -> None:
    await graph.write(incident(seen=LONG_AGO))

    await graph.write(incident())
    await graph.write(incident())

    found = await graph.read(Around())
    assert await graph.count() == (6, 6)
    assert {node.seen for node in found.nodes} == {NOW}


async def check_an_incident_contains_what_was_said_last(graph: Graph) -> None:
    await graph.write(incident())
    later = Subgraph(
        nodes=incident().nodes[:1], links=(link(LinkKind.CONTAINS, "incident:i1", "alert:f1"),)
    )

    await graph.write(later)

    found = await graph.read(Around(start="incident:i1", hops=1))
    assert ids(found) == {"incident:i1", "alert:f1"}


async def check_a_walk_goes_as_far_as_it_was_told(graph: Graph) -> None:
    await graph.write(incident())

    reached = [ids(await graph.read(Around(start="incident:i1", hops=n))) for n in (1, 2, 3, 4)]

    assert reached[0] == {"incident:i1", "alert:f1", "metric:cpu"}
    assert reached[1] - reached[0] == {"service:cart"}
    assert reached[2] - reached[1] == {"service:db"}
    assert reached[3] - reached[2] == {"host:h1"}


async def check_links_keep_their_direction_and_their_parts(graph: Graph) -> None:
    await graph.write(incident())
    back = link(LinkKind.CALLS, "service:db", "service:cart")

    await graph.write(Subgraph(links=(back,)))

    found = {one.key: one for one in (await graph.read(Around(start="service:db", hops=2))).links}
    assert back.key in found
    assert (LinkKind.CALLS, "service:cart", "service:db") in found
    around = await graph.read(Around(start="incident:i1", hops=2))
    (trigger,) = [one for one in around.links if one.kind is LinkKind.TRIGGERS]
    assert trigger == incident().links[3]


async def check_a_walk_does_not_go_on_through_other_incidents(graph: Graph) -> None:
    await graph.write(incident("i1"))
    other = Subgraph(
        nodes=(
            *incident("i2").nodes[:2],
            Node(id="metric:far", name="far", seen=NOW),
        ),
        links=(
            link(LinkKind.CONTAINS, "incident:i2", "alert:f1"),
            link(LinkKind.CONTAINS, "incident:i2", "metric:far"),
        ),
    )

    await graph.write(other)

    found = ids(await graph.read(Around(start="incident:i1", hops=4)))
    assert "incident:i2" in found
    assert "metric:far" not in found


async def check_the_nearest_are_kept_where_there_are_too_many(graph: Graph) -> None:
    await graph.write(incident())

    found = await graph.read(Around(start="incident:i1", hops=4, most=3))

    assert ids(found) == {"incident:i1", "alert:f1", "metric:cpu"}
    assert found.cut


async def check_an_unknown_start_and_an_empty_graph_are_empty(graph: Graph) -> None:
    assert await graph.read(Around()) == Subgraph()
    assert await graph.count() == (0, 0)

    await graph.write(incident())

    assert await graph.read(Around(start="incident:nope")) == Subgraph()


async def check_a_link_without_its_end_is_left_out(graph: Graph) -> None:
    lost = link(LinkKind.CALLS, "service:cart", "service:nobody")

    await graph.write(Subgraph(nodes=incident().nodes, links=(lost,)))

    assert await graph.count() == (6, 0)


async def check_what_is_old_is_forgotten(graph: Graph) -> None:
    await graph.write(incident("old", seen=LONG_AGO))
    await graph.write(
        Subgraph(
            nodes=(Node(id="service:cart", name="cart", seen=NOW),),
            links=(link(LinkKind.CALLS, "service:cart", "service:db"),),
        )
    )

    gone = await graph.forget(before=NOW - timedelta(days=1))

    assert gone == 5
    assert await graph.count() == (1, 0)


async def check_any_text_is_kept_as_it_is(graph: Graph) -> None:
    texts = [
        "a\"b'c`d\\e",
        "line\r\nend\n",
        "中文 é \U0001f600",
        "{a}: $b; //c /*d*/",
        "'}) DETACH DELETE n //",
        ",;\t",
        "\\n\\\\",
        "NULL",
        " ",
    ]
    nodes = [
        Node(id=f"service:{number}{text}", name=text, seen=NOW)
        for number, text in enumerate(texts)
    ]

    await graph.write(Subgraph(nodes=tuple(nodes)))

    found = await graph.read(Around())
    assert {node.name for node in found.nodes} == set(texts)
    assert ids(found) == {node.id for node in nodes}


async def check_thousands_are_written_as_few_are(graph: Graph) -> None:
    texts = ['quo"te', "new\nline", "comma, 'x'", "\\", "", "NaN", "中"]
    nodes = [
        Node(
            id=f"metric:{n}",
            name=texts[n % len(texts)],
            seen=NOW,
            texts={"unit": texts[n % len(texts)]},
            numbers={"value": float(n)} if n % 2 else {},
        )
        for n in range(2500)
    ]
    nodes += [Node(id=f"alert:{n}", name="a", seen=NOW) for n in range(2500)]
    links = [
        Link(
            kind=LinkKind.TRIGGERS,
            source=f"metric:{n % 2500}",
            target=f"alert:{(n * 7) % 2501}",
            seen=NOW,
            weight=0.5,
            parts={"delay_s": 1.0},
        )
        for n in range(3000)
    ]
    some = Subgraph(nodes=tuple(nodes[:10]), links=())
    await graph.write(some)

    for _ in range(2):
        await graph.write(Subgraph(nodes=tuple(nodes), links=tuple(links)))

    found = await graph.read(Around(most=10_000))
    there = {one.key: one for one in links if one.target != "alert:2500"}
    assert _by_id(found.nodes) == _by_id(nodes)
    assert {one.key: one for one in found.links} == there


async def check_a_question_is_answered_in_rows(graph: CypherGraph) -> None:
    await graph.write(incident())

    found = await graph.query(
        "MATCH (m:Metric)-[t:TRIGGERS]->(a:Alert) RETURN m.name AS metric, t.weight AS w, a",
        most=10,
        within=10 * SECOND,
    )

    assert found.columns == ("metric", "w", "a")
    ((metric, weight, alert),) = found.rows
    assert (metric, weight) == ("cpu", 0.82)
    assert isinstance(alert, dict)
    assert (alert["_label"], alert["id"], alert["severity"]) == ("Alert", "alert:f1", "critical")
    assert not found.cut


async def check_rows_beyond_the_limit_are_cut(graph: CypherGraph) -> None:
    await graph.write(incident())

    found = await graph.query("MATCH (n:Service) RETURN n.id", most=1, within=10 * SECOND)

    assert len(found.rows) == 1
    assert found.cut


async def check_a_question_changes_nothing(graph: CypherGraph) -> None:
    await graph.write(incident())

    for wrong in (
        "CREATE (n:Service {id: 'service:x'})",
        "MATCH (n) DETACH DELETE n",
        "MATCH (n:Service) SET n.name = 'x' RETURN n",
        "match (n:Service) remove n.name",
        "MERGE (n:Service {id: 'x'})",
        "MATCH (n) RETURN n; CREATE (m:Service {id: 'y'})",
        "COPY (MATCH (n) RETURN n.id) TO 'out.csv'",
        "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
        "CALL db.labels()",
        "DROP TABLE Service",
        "RETURN 'unfinished",
        "/* CREATE */ ",
        "",
    ):
        with pytest.raises(BadInput):
            await graph.query(wrong, most=10, within=SECOND)

    assert await graph.count() == (6, 6)


async def check_words_inside_texts_and_names_are_no_commands(graph: CypherGraph) -> None:
    await graph.write(incident())

    found = await graph.query(
        "MATCH (n:Service) WHERE n.name <> 'DELETE; CREATE' AND n.id <> \"SET\" // MERGE\n"
        "RETURN count(n) AS `set`;",
        most=10,
        within=10 * SECOND,
    )

    assert found.rows == ((2,),)


async def check_a_wrong_question_is_told_as_one(graph: CypherGraph) -> None:
    await graph.write(incident())

    for wrong in ("MATCH (n RETURN n", "RETURN nobody.name"):
        with pytest.raises(BadInput):
            await graph.query(wrong, most=10, within=10 * SECOND)


async def check_a_question_that_takes_too_long_is_given_up(graph: CypherGraph) -> None:
    endless = (
        "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b) AS total"
    )

    with pytest.raises(BadInput):
        await graph.query(endless, most=10, within=SECOND / 2)

    assert await graph.count() == (0, 0)


def _by_id(nodes: Iterable[Node]) -> dict[str, Node]:
    """The nodes without the empty texts that say nothing."""
    return {
        node.id: replace(node, texts={name: text for name, text in node.texts.items() if text})
        for node in nodes
    }
