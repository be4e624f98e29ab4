from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from opsmith.explain.layers import place

GRAPHS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30),
    )
)


def test_callers_stand_left_of_what_they_call() -> None:
    placed = place(4, [(0, 1), (1, 2), (0, 2), (3, 2)])

    assert placed.column == (0, 1, 2, 0)
    assert len(placed.bends[0, 2]) == 1
    assert placed.bends[0, 1] == ()


def test_a_circle_is_entered_where_callers_enter_it() -> None:
    placed = place(3, [(0, 1), (1, 2), (2, 1)])

    assert placed.column == (0, 1, 2)
    assert placed.bends[2, 1] == ()


def test_a_graph_without_edges_is_one_column() -> None:
    placed = place(3, [])

    assert placed.column == (0, 0, 0)
    assert sorted(placed.height) == [0, 1, 2]


def test_nothing_has_no_place() -> None:
    assert place(0, []).column == ()


def test_a_crossing_that_can_be_avoided_is_avoided() -> None:
    placed = place(4, [(0, 3), (1, 2)])

    above = placed.height[0] < placed.height[1]
    assert (placed.height[3] < placed.height[2]) == above


@given(GRAPHS)
def test_boxes_of_one_column_never_overlap(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    placed = place(count, edges)

    for column in set(placed.column):
        rows = [row for row in range(count) if placed.column[row] == column]
        heights = sorted(placed.height[row] for row in rows)
        gaps = [below - above for above, below in pairwise(heights)]
        assert all(gap >= 1 - 1e-9 for gap in gaps)
    assert min(placed.height) >= 0


@given(GRAPHS)
def test_an_edge_bends_once_in_every_column_it_passes(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    count, edges = graph
    placed = place(count, edges)

    assert set(placed.bends) == {(a, b) for a, b in edges if a != b}
    for (source, target), bends in placed.bends.items():
        apart = abs(placed.column[source] - placed.column[target])
        assert apart >= 1
        assert len(bends) == apart - 1


@given(GRAPHS)
def test_the_same_graph_gets_the_same_places(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph

    assert place(count, edges) == place(count, edges[::-1])
