from dataclasses import replace

from builders.incidents import (
    CART,
    CHECKOUT,
    FRONTEND,
    HOST,
    ORDERS,
    PAYMENTS,
    pool_exhausted,
    topology,
)

from opsmith.explain.drawing import draw
from opsmith.explain.scene import MOST_NODES, scene
from opsmith.explain.story import Map, Role
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Cause, Diagnosis, Path, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind, Topology


def drawn(diagnosis: Diagnosis, known: Topology) -> Map:
    drawing = draw(scene(diagnosis, known, diagnosis.causes))
    assert drawing is not None
    return drawing


def test_the_path_is_numbered_from_the_cause_and_its_lines_are_lit() -> None:
    drawing = drawn(pool_exhausted().diagnosis, topology())
    steps = {node.entity: node.step for node in drawing.nodes if node.step}
    lit = {line.words for line in drawing.lines if line.lit}

    assert steps == {"database:orders": 1, "service:checkout": 2, "service:frontend": 3}
    assert lit == {
        "service:checkout calls database:orders",
        "service:frontend calls service:checkout",
    }


def test_every_box_has_the_role_that_it_plays() -> None:
    drawing = drawn(pool_exhausted().diagnosis, topology())
    roles = {node.entity: node.role for node in drawing.nodes}

    assert roles[str(ORDERS)] is Role.CAUSE
    assert roles[str(CHECKOUT)] is Role.PATH
    assert roles[str(CART)] is Role.CANDIDATE
    assert roles[str(PAYMENTS)] is Role.OTHER
    assert {node.entity for node in drawing.nodes if node.alerting} == {str(FRONTEND)}


def test_where_something_runs_is_drawn_only_when_both_are_spoken_of() -> None:
    found = pool_exhausted().diagnosis
    host = Cause(entity=HOST, kind=CauseKind.DISK_FULL, score=1, confidence=0.1)

    plain = drawn(found, topology())
    spoken = drawn(replace(found, causes=(*found.causes, host)), topology())

    assert str(HOST) not in {node.entity for node in plain.nodes}
    assert plain.note == "Not drawn: 1 component further away."
    assert "service:checkout runs on host:node-7" in {line.words for line in spoken.lines}
    assert spoken.note == ""


def test_a_blamed_edge_is_a_red_line_between_its_ends() -> None:
    edge = Entity.edge("checkout", "payments")
    found = Diagnosis(
        incident="x",
        status=Status.DIAGNOSED,
        causes=(Cause(entity=edge, kind=CauseKind.DEPENDENCY_SLOW, score=1, confidence=0.9),),
        path=Path(entities=(edge, CHECKOUT, FRONTEND), bottleneck=1.0),
        alerting=(FRONTEND,),
    )

    drawing = drawn(found, topology())

    assert [line.words for line in drawing.lines if line.blamed] == [
        "service:checkout calls service:payments"
    ]
    assert {node.entity: node.step for node in drawing.nodes if node.step} == {
        "service:payments": 1,
        "service:checkout": 2,
        "service:frontend": 3,
    }


def test_a_path_over_edges_that_the_topology_does_not_know_is_drawn_all_the_same() -> None:
    drawing = drawn(pool_exhausted().diagnosis, Topology())

    assert {line.lit for line in drawing.lines} == {True}


def test_a_single_component_is_not_drawn() -> None:
    alone = Diagnosis(incident="x", status=Status.HEALTHY, causes=(), path=None)

    assert draw(scene(alone, Topology(), ())) is None


def test_of_a_large_topology_the_neighbourhood_is_drawn_and_the_rest_counted() -> None:
    services = [Entity.service(f"s{number:04d}") for number in range(1000)]
    calls = [
        Edge(source=services[number // 3], target=services[number], kind=EdgeKind.CALLS)
        for number in range(1, 1000)
    ]
    path = (services[400], services[133], services[44])
    found = Diagnosis(
        incident="x",
        status=Status.DIAGNOSED,
        causes=(Cause(entity=services[400], kind=CauseKind.UNKNOWN, score=1, confidence=0.9),),
        path=Path(entities=path, bottleneck=1.0),
    )

    drawing = drawn(found, Topology(edges=tuple(calls)))

    assert {str(entity) for entity in path} <= {node.entity for node in drawing.nodes}
    assert len(drawing.nodes) <= MOST_NODES
    assert drawing.note == f"Not drawn: {1000 - len(drawing.nodes)} components further away."


def test_a_long_name_is_cut_in_its_middle_and_whole_in_its_title() -> None:
    long = Entity.service("a-very-long-name-of-a-service-in-production")
    found = pool_exhausted().diagnosis
    calls = Topology(edges=(Edge(source=FRONTEND, target=long, kind=EdgeKind.CALLS),))

    node = next(n for n in drawn(found, calls).nodes if n.entity == str(long))

    assert node.label == "a-very-long-n…production"


def test_boxes_lie_inside_the_drawing() -> None:
    drawing = drawn(pool_exhausted().diagnosis, topology())

    assert all(node.x > 0 and node.x + node.width < drawing.width for node in drawing.nodes)
    assert all(0 < node.y < drawing.height for node in drawing.nodes)
