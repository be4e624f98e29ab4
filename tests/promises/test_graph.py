"""Every graph keeps every promise."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from opsmith.backends.graph.bolt import BATCH, BoltGraph
from opsmith.backends.graph.embedded import EmbeddedGraph
from opsmith.errors import AskError, BadInput, HouseError, Unreachable
from opsmith.nouns.graph import Node, Subgraph
from opsmith.seams.graph import Around, CypherGraph, Graph
from opsmith.testing import graph as promises
from promises.real_bolt import PASSWORD, bolt_server, free_ports

CHECKS: list[Callable[[Graph], Awaitable[None]]] = [
    promises.check_what_was_written_is_read_back_whole,
    promises.check_writing_again_renews_and_doubles_nothing,
    promises.check_an_incident_contains_what_was_said_last,
    promises.check_a_walk_goes_as_far_as_it_was_told,
    promises.check_links_keep_their_direction_and_their_parts,
    promises.check_a_walk_does_not_go_on_through_other_incidents,
    promises.check_the_nearest_are_kept_where_there_are_too_many,
    promises.check_an_unknown_start_and_an_empty_graph_are_empty,
    promises.check_a_link_without_its_end_is_left_out,
    promises.check_what_is_old_is_forgotten,
    promises.check_any_text_is_kept_as_it_is,
    promises.check_thousands_are_written_as_few_are,
]
QUESTIONS: list[Callable[[CypherGraph], Awaitable[None]]] = [
    promises.check_a_question_is_answered_in_rows,
    promises.check_rows_beyond_the_limit_are_cut,
    promises.check_a_question_changes_nothing,
    promises.check_words_inside_texts_and_names_are_no_commands,
    promises.check_a_wrong_question_is_told_as_one,
    promises.check_a_question_that_takes_too_long_is_given_up,
]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedGraph]:
    opened = EmbeddedGraph(tmp_path / "it's a folder" / "graph.db")
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_graph_in_memory_keeps_its_promise(
    check: Callable[[Graph], Awaitable[None]],
) -> None:
    await check(promises.MemoryGraph())


@pytest.mark.parametrize("check", [*CHECKS, *QUESTIONS], ids=lambda check: check.__name__)
async def test_the_embedded_graph_keeps_its_promise(
    check: Callable[[CypherGraph], Awaitable[None]], embedded: EmbeddedGraph
) -> None:
    await check(embedded)


async def test_another_process_reads_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "graph.db"
    mine = EmbeddedGraph(path)
    await mine.write(promises.incident("i0"))
    code = (
        "import asyncio, pathlib, sys\n"
        "from opsmith.backends.graph.embedded import EmbeddedGraph\n"
        "async def counted():\n"
        "    print((await EmbeddedGraph(pathlib.Path(sys.argv[1])).count())[0])\n"
        "for _ in range(8):\n"
        "    asyncio.run(counted())\n"
    )
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(path), stdout=asyncio.subprocess.PIPE
    )

    for number in range(1, 9):
        await mine.write(promises.incident(f"i{number}"))

    told, _ = await reader.communicate()
    counts = [int(line) for line in told.split()]
    assert reader.returncode == 0
    assert counts == sorted(counts)
    assert set(counts) <= set(range(6, 15))
    assert await mine.count() == (14, 6 + 2 * 8)
    await mine.aclose()


async def test_a_damaged_file_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "graph.db"
    path.write_bytes(b"no graph" * 1000)
    graph = EmbeddedGraph(path)

    with pytest.raises(HouseError, match="damaged"):
        await graph.count()
    with pytest.raises(HouseError, match="damaged"):
        await graph.write(promises.incident())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with bolt_server(tmp_path_factory.mktemp("bolt")) as url:
        yield url


@pytest.fixture
async def bolt(server: str) -> AsyncIterator[CypherGraph]:
    opened = BoltGraph(server, password=PASSWORD)
    await opened.forget(before=promises.NOW + timedelta(days=1))
    yield opened
    await opened.aclose()


@pytest.mark.needs_bolt
@pytest.mark.parametrize("check", [*CHECKS, *QUESTIONS], ids=lambda check: check.__name__)
async def test_a_graph_by_url_keeps_its_promise(
    check: Callable[[CypherGraph], Awaitable[None]], bolt: CypherGraph
) -> None:
    await check(bolt)


@pytest.mark.needs_bolt
async def test_a_large_part_that_was_broken_off_is_completed_when_written_again(
    server: str, bolt: CypherGraph
) -> None:
    few = promises.incident()
    many = [Node(id=f"metric:{n}", name="m", seen=promises.NOW) for n in range(2 * BATCH)]
    part = Subgraph(nodes=(*many, *few.nodes), links=few.links)
    dying = BoltGraph(server, password=PASSWORD)
    write = asyncio.create_task(dying.write(part))
    while await bolt.count() == (0, 0):
        assert not write.done()
    write.cancel()
    await asyncio.wait([write])
    await dying.aclose()

    await bolt.write(part)

    assert await bolt.count() == (len(part.nodes), len(part.links))
    found = await bolt.read(Around(start="incident:i1", hops=9))
    assert promises.keys(found) == promises.keys(part)


@pytest.mark.needs_bolt
async def test_a_wrong_password_is_told_as_one(server: str) -> None:
    opened = BoltGraph(server, password="wrong-password")

    with pytest.raises(AskError, match="OPSMITH_GRAPH_PASSWORD"):
        await opened.count()

    await opened.aclose()


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    (port,) = free_ports(1)
    opened = BoltGraph(f"bolt://127.0.0.1:{port}", password="")

    with pytest.raises(Unreachable, match="did not answer"):
        await opened.count()

    await opened.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://h", "bolt://", "bolt://h:port", "neo4j://me:secret@h", "graph.db"],
)
def test_what_is_no_address_of_a_graph_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        BoltGraph(url, password="x")

    assert "secret" not in str(refused.value)
