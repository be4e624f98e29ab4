"""The graph in Neo4j, or in a server that speaks Bolt and openCypher as Neo4j 5 does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from opsmith.backends.graph.merges import groups, merges, names
from opsmith.backends.graph.rows import link_of, node_of, plain
from opsmith.backends.graph.statements import only_reads, said
from opsmith.errors import AskError, BadAnswer, BadInput, MissingExtra, Unreachable
from opsmith.nouns.graph import Link, LinkKind, Node, NodeKind, Subgraph, Table, kind_of, timestamp
from opsmith.seams.graph import Around

try:
    import neo4j
    from neo4j import exceptions
    from neo4j.graph import Node as BoltNode
    from neo4j.graph import Relationship
except ImportError as error:
    raise MissingExtra(
        "A graph by URL needs the driver of Neo4j.", hint="pip install 'opsmith[neo4j]'"
    ) from error

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
# Rows in one UNWIND: Neo4j's own advice for batches is ten to fifty thousand small rows.
BATCH = 10_000
# How long a server may take to answer at all, and how long retries go on.
CONNECT_S = 10.0
RETRY_S = 30.0
WRITE_S = 120.0
READ_S = 30.0

T = TypeVar("T")
Work = Callable[[neo4j.AsyncManagedTransaction], Awaitable[T]]


class BoltGraph:
    """Keeps every promise of `seams.graph.CypherGraph` on a server.

    url: bolt:// or neo4j:// (with +s for TLS), the user before an @, the database as its path.
    Raises `BadInput` when it is none.
    """

    def __init__(self, url: str, *, password: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port or 7687
        except ValueError as error:
            raise BadInput(f"{url[:200]!r} has no port that is a number.") from error
        if parts.scheme not in SCHEMES or not parts.hostname or parts.password:
            raise BadInput(
                f"{_shown(url)!r} is no address of a graph.",
                hint="Write bolt://USER@HOST:PORT/DATABASE, and set OPSMITH_GRAPH_PASSWORD.",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._name = f"{parts.scheme}://{host}:{port}"
        self._database = parts.path.strip("/") or None
        self._driver = neo4j.AsyncGraphDatabase.driver(
            self._name,
            auth=(parts.username or "neo4j", password) if password else None,
            connection_timeout=CONNECT_S,
            connection_acquisition_timeout=CONNECT_S,
            max_transaction_retry_time=RETRY_S,
            user_agent="opsmith",
        )
        self._ready = asyncio.Lock()
        self._has_constraints = False

    async def aclose(self) -> None:
        """Close the connections."""
        await self._driver.close()

    async def write(self, part: Subgraph) -> None:
        """Add or renew nodes and links in one transaction, tried again when it may help."""
        incidents = [node.id for node in part.nodes if node.kind is NodeKind.INCIDENT]

        async def work(tx: neo4j.AsyncManagedTransaction) -> None:
            if incidents:
                await _run(tx, said("empty_incidents"), {"ids": incidents})
            for statement, rows in merges(part, batch=BATCH):
                await _run(tx, statement, {"rows": rows})

        await self._constrain()
        await self._do(work, writes=True, within_s=WRITE_S)

    async def read(self, wanted: Around) -> Subgraph:
        """The nodes around one, or everything."""

        async def work(tx: neo4j.AsyncManagedTransaction) -> Subgraph:
            return await (_around if wanted.start else _everything)(tx, wanted)

        return await self._do(work, writes=False, within_s=READ_S)

    async def forget(self, *, before: datetime) -> int:
        """Drop what was not heard of since."""
        given = {"before": timestamp(before)}

        async def work(tx: neo4j.AsyncManagedTransaction) -> int:
            for group in groups():
                await _run(tx, said("forget_links", **names(group)), given)
            gone = 0
            for kind in NodeKind:
                gone += await _number(tx, said("count_old", LABEL=str(kind)), given)
                await _run(tx, said("forget_nodes", LABEL=str(kind)), given)
            return gone

        return await self._do(work, writes=True, within_s=WRITE_S)

    async def count(self) -> tuple[int, int]:
        """Nodes and links."""

        async def work(tx: neo4j.AsyncManagedTransaction) -> tuple[int, int]:
            nodes = [await _number(tx, said("count_nodes", LABEL=str(kind))) for kind in NodeKind]
            links = [await _number(tx, said("count_links", TYPE=str(kind))) for kind in LinkKind]
            return sum(nodes), sum(links)

        return await self._do(work, writes=False, within_s=READ_S)

    async def query(self, cypher: str, *, most: int, within: timedelta) -> Table:
        """Ask an operator's question in a transaction that is told to read only."""
        asked = only_reads(cypher)

        async def work(tx: neo4j.AsyncManagedTransaction) -> Table:
            result = await tx.run(asked)
            columns = tuple(result.keys())
            found = await result.fetch(most + 1)
            rows = tuple(tuple(_plain(value) for value in record.values()) for record in found)
            return Table(columns=columns, rows=rows[:most], cut=len(rows) > most)

        seconds = within.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                return await self._do(work, writes=False, within_s=seconds + 1.0)
        except TimeoutError as error:
            raise BadInput(
                "The query took too long.", hint="Ask for less, or give it more time."
            ) from error

    async def _constrain(self) -> None:
        """One node an id, once in the life of this connection."""
        async with self._ready:
            if self._has_constraints:
                return
            for kind in NodeKind:
                statement = said("unique", LABEL=str(kind), LOWERED=str(kind).lower())

                async def work(
                    tx: neo4j.AsyncManagedTransaction, statement: str = statement
                ) -> None:
                    await _run(tx, statement, {})

                await self._do(work, writes=True, within_s=WRITE_S)
            self._has_constraints = True

    async def _do(self, work: Work[T], *, writes: bool, within_s: float) -> T:
        """Run `work` in a transaction; the server and we both watch its time."""
        timed = neo4j.unit_of_work(timeout=within_s)(work)
        mode = neo4j.WRITE_ACCESS if writes else neo4j.READ_ACCESS
        opened = self._driver.session(database=self._database, default_access_mode=mode)
        # Servers differ in whether they stop a query; dropping the connection ends ours.
        async with (
            _translated(self._name),
            asyncio.timeout(within_s + RETRY_S),
            opened as session,
        ):
            return await (session.execute_write if writes else session.execute_read)(timed)


async def _around(tx: neo4j.AsyncManagedTransaction, wanted: Around) -> Subgraph:
    start = await _take(tx, wanted.start)
    if start is None:
        return Subgraph()
    nodes, links, edge = {start.id: start}, dict[tuple[LinkKind, str, str], Link](), [start.id]
    cut = False
    for _ in range(wanted.hops):
        if edge and len(nodes) > wanted.enough:
            cut = True
            break
        rim: list[str] = []
        for link, ends in await _step(tx, edge):
            fresh = {name: node for name, node in ends.items() if name not in nodes}
            if len(nodes) + len(fresh) > wanted.most:
                cut = True
                continue
            links[link.key] = link
            nodes.update(fresh)
            rim += [name for name, node in fresh.items() if node.kind is not NodeKind.INCIDENT]
        edge = rim
    return Subgraph(nodes=tuple(nodes.values()), links=tuple(links.values()), cut=cut)


async def _step(
    tx: neo4j.AsyncManagedTransaction, ids: Sequence[str]
) -> list[tuple[Link, dict[str, Node]]]:
    """The links of some nodes, each with its ends that are not among them."""
    by_kind: defaultdict[NodeKind, list[str]] = defaultdict(list)
    for name in ids:
        by_kind[kind_of(name)].append(name)
    found: list[tuple[Link, dict[str, Node]]] = []
    for kind, members in sorted(by_kind.items()):
        for row in await _rows(tx, said("step", LABEL=str(kind)), {"ids": members}):
            here, relation, other = row
            there = node_of(dict(_bolt_node(other)))
            found.append((_link(relation, str(here), there.id), {there.id: there}))
    return sorted(found, key=lambda pair: (pair[0].source, pair[0].target, pair[0].kind))


async def _everything(tx: neo4j.AsyncManagedTransaction, wanted: Around) -> Subgraph:
    nodes: dict[str, Node] = {}
    for kind in NodeKind:
        most = wanted.most + 1 - len(nodes)
        if most <= 0:
            break
        statement = said("all_nodes", LABEL=str(kind), PROPERTIES="n")
        for (told,) in await _rows(tx, statement, {"most": most}):
            node = node_of(dict(_bolt_node(told)))
            nodes[node.id] = node
    cut = len(nodes) > wanted.most
    kept = dict(list(nodes.items())[: wanted.most])
    links = []
    for group in groups():
        statement = said("all_links", **names(group), PROPERTIES="e")
        for here, there, relation in await _rows(tx, statement, {}):
            if here in kept and there in kept:
                links.append(_link(relation, str(here), str(there)))
    return Subgraph(nodes=tuple(kept.values()), links=tuple(links), cut=cut)


async def _take(tx: neo4j.AsyncManagedTransaction, name: str) -> Node | None:
    statement = said("take_nodes", LABEL=str(kind_of(name)), PROPERTIES="n")
    rows = await _rows(tx, statement, {"ids": [name]})
    return node_of(dict(_bolt_node(rows[0][0]))) if rows else None


def _link(relation: object, here: str, there: str) -> Link:
    if not isinstance(relation, Relationship):
        raise BadAnswer("The graph answered something else than a link.")
    return link_of(relation.type, here, there, dict(relation.items()))


def _bolt_node(value: object) -> BoltNode:
    if not isinstance(value, BoltNode):
        raise BadAnswer("The graph answered something else than a node.")
    return value


def _plain(value: object) -> object:
    if isinstance(value, BoltNode):
        return plain({"_LABEL": next(iter(value.labels), ""), **dict(value.items())})
    if isinstance(value, Relationship):
        return plain({"_LABEL": value.type, **dict(value.items())})
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return plain(value)


async def _run(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> None:
    await (await tx.run(statement, dict(given))).consume()


async def _rows(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> list[list[object]]:
    result = await tx.run(statement, dict(given))
    return [record.values() async for record in result]


async def _number(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object] | None = None
) -> int:
    return int(str((await _rows(tx, statement, given or {}))[0][0]))


def _shown(url: str) -> str:
    """The address without what may be a password."""
    return url.rpartition("@")[2][:200]


@asynccontextmanager
async def _translated(name: str) -> AsyncIterator[None]:
    """Turn what the driver raises into our own errors."""
    try:
        yield
    except (exceptions.AuthError, exceptions.ConfigurationError) as error:
        raise AskError(
            f"The graph at {name} does not let us in: {_first(error)}",
            hint="See OPSMITH_GRAPH_URL and OPSMITH_GRAPH_PASSWORD.",
        ) from error
    except exceptions.ClientError as error:
        raise BadInput(f"The graph did not understand the query: {_first(error)}") from error
    except (exceptions.Neo4jError, exceptions.DriverError, OSError) as error:
        raise Unreachable(f"The graph at {name} did not answer: {_first(error)}") from error


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
