"""Asking the embedded graph: one statement, its rows, its one number."""

from __future__ import annotations

from collections.abc import Mapping

import ladybug

from opsmith.errors import BadInput

Rows = list[list[object]]


def ask(
    connection: ladybug.Connection, statement: str, given: Mapping[str, object] | None = None
) -> ladybug.QueryResult:
    """The answer to one statement."""
    answer = connection.execute(statement, dict(given or {}))
    if isinstance(answer, list):
        raise BadInput("One statement at a time.")
    return answer


def rows(
    connection: ladybug.Connection, statement: str, given: Mapping[str, object] | None = None
) -> Rows:
    """All rows of an answer."""
    return [list(row) for row in ask(connection, statement, given).get_all()]


def number(
    connection: ladybug.Connection, statement: str, given: Mapping[str, object] | None = None
) -> int:
    """The one number of an answer."""
    return int(str(rows(connection, statement, given)[0][0]))
