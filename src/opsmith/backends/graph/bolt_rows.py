"""Answers of a Bolt server as plain rows.

The driver takes an answer apart in Python, and a record costs it as much as a dozen of values:
what may be thousands of rows is asked for as one record of lists, which takes a quarter.
"""

from __future__ import annotations

from collections.abc import Mapping

import neo4j

from opsmith.errors import BadAnswer


async def run(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> None:
    """Run a statement whose answer does not matter."""
    await (await tx.run(statement, dict(given))).consume()


async def rows(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> list[list[object]]:
    """The values of every record."""
    result = await tx.run(statement, dict(given))
    return [record.values() async for record in result]


async def lists(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> list[list[object]]:
    """The lists in the one record of an answer. Raises `BadAnswer` when it is none."""
    answer = await rows(tx, statement, given)
    if len(answer) != 1:
        raise BadAnswer(f"The graph answered {len(answer)} records where one belongs.")
    return [_list(value) for value in answer[0]]


async def collected(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object]
) -> list[list[object]]:
    """The rows in the one list of an answer. Raises `BadAnswer` when it is none."""
    return [_list(row) for row in (await lists(tx, statement, given))[0]]


async def number(
    tx: neo4j.AsyncManagedTransaction, statement: str, given: Mapping[str, object] | None = None
) -> int:
    """The one number of an answer."""
    return int(str((await rows(tx, statement, given or {}))[0][0]))


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise BadAnswer("The graph answered something else than a list.")
    return value
