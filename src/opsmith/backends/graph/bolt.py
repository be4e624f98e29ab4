"""The graph in Neo4j, or in a server that speaks Bolt and openCypher as Neo4j 5 does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from opsmith.backends.graph.merges import groups, merges, names
from opsmith.backends.graph.rows import Row, plain
from opsmith.backends.graph.statements import only_reads, said
from opsmith.errors import AskError, BadInput, MissingExtra, Unreachable
from opsmith.nouns.graph import LinkKind, NodeKind, Subgraph, Table, timestamp
from opsmith.seams.graph import Around

try:
    import neo4j
    from neo4j import exceptions
    from neo4j.graph import Node as BoltNode
    from neo4j.graph import Relationship

    from opsmith.backends.graph.bolt_read import around, everything
    from opsmith.backends.graph.bolt_rows import number, run
except ImportError as error:
    raise MissingExtra(
        "A graph by URL needs the driver of Neo4j.", hint="pip install 'opsmith[neo4j]'"
    ) from error

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
# Rows in one statement, and in one transaction of a part that has more: some megabytes to send,
# and seconds in which a server keeps what it would take back. An incident has some hundreds.
BATCH = 5_000
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
        """Add or renew nodes and links, each transaction tried again when it may help.

        A part of up to `BATCH` rows is one transaction. A larger one is several, nodes first;
        when it is broken off, writing it again completes it.
        """
        incidents = [node.id for node in part.nodes if node.kind is NodeKind.INCIDENT]
        await self._constrain()
        steps = merges(part, batch=BATCH)
        if len(part.nodes) + len(part.links) <= BATCH:
            await self._merge(steps, emptied=incidents)
            return
        await self._merge((), emptied=incidents)
        for step in steps:
            await self._merge((step,), emptied=())

    async def _merge(
        self, steps: Iterable[tuple[str, list[Row]]], *, emptied: Sequence[str]
    ) -> None:
        """Run `steps` in one transaction after the incidents to be written anew are `emptied`."""
        held = list(steps)

        async def work(tx: neo4j.AsyncManagedTransaction) -> None:
            if emptied:
                await run(tx, said("empty_incidents"), {"ids": list(emptied)})
            for statement, rows in held:
                await run(tx, statement, {"rows": rows})

        await self._do(work, writes=True, within_s=WRITE_S)

    async def read(self, wanted: Around) -> Subgraph:
        """The nodes around one, or everything."""

        async def work(tx: neo4j.AsyncManagedTransaction) -> Subgraph:
            return await (around if wanted.start else everything)(tx, wanted)

        return await self._do(work, writes=False, within_s=READ_S)

    async def forget(self, *, before: datetime) -> int:
        """Drop what was not heard of since."""
        given = {"before": timestamp(before)}

        async def work(tx: neo4j.AsyncManagedTransaction) -> int:
            for group in groups():
                await run(tx, said("forget_links", **names(group)), given)
            gone = 0
            for kind in NodeKind:
                gone += await number(tx, said("count_old", LABEL=str(kind)), given)
                await run(tx, said("forget_nodes", LABEL=str(kind)), given)
            return gone

        return await self._do(work, writes=True, within_s=WRITE_S)

    async def count(self) -> tuple[int, int]:
        """Nodes and links."""

        async def work(tx: neo4j.AsyncManagedTransaction) -> tuple[int, int]:
            nodes = [await number(tx, said("count_nodes", LABEL=str(kind))) for kind in NodeKind]
            links = [await number(tx, said("count_links", TYPE=str(kind))) for kind in LinkKind]
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
                    await run(tx, statement, {})

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


def _plain(value: object) -> object:
    if isinstance(value, BoltNode):
        return plain({"_LABEL": next(iter(value.labels), ""), **dict(value.items())})
    if isinstance(value, Relationship):
        return plain({"_LABEL": value.type, **dict(value.items())})
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return plain(value)


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
