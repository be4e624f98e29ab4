"""The edge book: edges of many sources, each with its age."""

from datetime import UTC, datetime, timedelta

from opsmith.ingest.edge_book import EdgeBook
from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind, Sighting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def edge(caller: str, callee: str, origin: str) -> Edge:
    return Edge(
        source=Entity.service(caller),
        target=Entity.service(callee),
        kind=EdgeKind.CALLS,
        origin=origin,
    )


def pairs(book: EdgeBook) -> list[tuple[str, str, list[str]]]:
    return [
        (one.source.name, one.target.name, [seen.origin for seen in one.sightings])
        for one in book.known()
    ]


def test_an_edge_that_many_told_of_is_one_with_the_age_of_each() -> None:
    book = EdgeBook()
    book.learn([edge("a", "b", "traces")], at=NOW)
    book.learn([edge("a", "b", "metrics")], at=NOW + HOUR)
    book.learn([edge("a", "b", "traces")], at=NOW + 2 * HOUR)

    (one,) = book.known()

    assert one.sightings == (
        Sighting(origin="metrics", first=NOW + HOUR, last=NOW + HOUR),
        Sighting(origin="traces", first=NOW, last=NOW + 2 * HOUR),
    )
    assert one.last == NOW + 2 * HOUR


def test_what_nobody_saw_for_a_day_is_gone_but_for_what_the_file_names() -> None:
    book = EdgeBook()
    book.learn([edge("a", "b", "traces"), edge("b", "c", "metrics")], at=NOW)
    book.state([edge("a", "b", "file")], at=NOW)

    book.forget(now=NOW + 25 * HOUR)

    assert pairs(book) == [("a", "b", ["file"])]


def test_what_the_file_no_longer_names_is_not_stated() -> None:
    book = EdgeBook()
    book.learn([edge("a", "b", "traces")], at=NOW)
    book.state([edge("a", "b", "file"), edge("x", "y", "file")], at=NOW)

    book.state([], at=NOW)

    assert pairs(book) == [("a", "b", ["traces"])]


def test_a_topology_may_leave_out_what_only_some_told() -> None:
    book = EdgeBook()
    book.learn([edge("a", "b", "traces"), edge("b", "c", "metrics")], at=NOW)

    assert len(book.topology().edges) == 2
    assert [one.source.name for one in book.topology(without=("traces",)).edges] == ["b"]


def test_a_book_is_read_back_and_a_damaged_one_is_none() -> None:
    book, again = EdgeBook(), EdgeBook()
    book.learn([edge("a", "b", "traces")], at=NOW)

    again.load(b"{")
    again.load(book.dump())

    assert again.known() == book.known()


def test_a_book_is_bounded(monkeypatch: object) -> None:
    import opsmith.ingest.edge_book as module

    monkeypatch.setattr(module, "MOST_EDGES", 2)  # type: ignore[attr-defined]
    book = EdgeBook()

    book.learn([edge("a", f"b{n}", "traces") for n in range(5)], at=NOW)

    assert len(book.known()) == 2
