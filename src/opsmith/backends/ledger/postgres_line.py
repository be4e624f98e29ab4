"""Connections to the PostgreSQL that keeps a ledger: address, manners, tables, errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

from opsmith.backends.ledger.named import scripts, statements
from opsmith.errors import AskError, BadInput, HouseError, MissingExtra, Unreachable

try:
    import psycopg
    from psycopg import conninfo, errors
except ImportError as error:
    raise MissingExtra(
        "A ledger by URL needs the driver of PostgreSQL.", hint="pip install 'opsmith[postgres]'"
    ) from error

# A connection, and what is raised when it is lost or refused.
Line: TypeAlias = psycopg.Connection
Lost: TypeAlias = psycopg.OperationalError

QUERIES = statements("postgres.sql")
# How long one may wait for the head, and hold it while silent: as SQLite's writers wait.
BUSY_MS = 5_000
# A server or a network that is gone is noticed within about a quarter of a minute.
_PATIENCE: dict[str, str | int] = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "target_session_attrs": "read-write",
    "application_name": "opsmith",
}
_FORM = "Write postgresql://USER@HOST:PORT/DATABASE."
_SECRET = "Put the password into the file of OPSMITH_LEDGER_PASSWORD_FILE or PGPASSFILE."  # noqa: S105
_NOT_USABLE = (
    psycopg.OperationalError,
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)


def address(url: str, *, password: str) -> str:
    """What libpq connects with. Raises `BadInput`, which repeats nothing of a wrong URL."""
    try:
        told = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise BadInput("OPSMITH_LEDGER_URL is no address of a PostgreSQL.", hint=_FORM) from None
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadInput("OPSMITH_LEDGER_URL is no address of a PostgreSQL.", hint=_FORM)
    if "password" in told:
        raise BadInput("OPSMITH_LEDGER_URL holds a password.", hint=_SECRET)
    secret = {"password": password} if password else {}
    return conninfo.make_conninfo("", **_PATIENCE | told | secret)


def connect(where: str) -> Line:
    """A connection in autocommit; statements are planned for their values each time."""
    line = psycopg.connect(where, autocommit=True, prepare_threshold=None)
    manners = {"lock_ms": str(BUSY_MS), "idle_ms": str(2 * BUSY_MS)}
    line.execute(QUERIES["manners"], manners)
    return line


def prepare(line: Line) -> None:
    """Lay out the tables as far as they are not.

    Raises `BadInput` for a server that does not wait for its disk, `AskError` for tables of a
    newer opsmith.
    """
    if line.execute(QUERIES["fsync"]).fetchone() != ("on",):
        raise BadInput(
            "The PostgreSQL of the ledger runs with fsync off: a power cut would lose what it"
            " acknowledged.",
            hint="Set fsync = on there.",
        )
    known = scripts("migrations_postgres")
    done = _done(line)
    if done < len(known):
        with line.transaction():
            line.execute(QUERIES["one_at_a_time"])
            line.execute(QUERIES["first_of_all"])
            for number, script in enumerate(known, start=1):
                if number > _done(line):
                    line.execute(script)
                    line.execute(QUERIES["script_done"], (number,))
    elif done > len(known):
        raise AskError(
            f"The ledger was written by a newer opsmith (version {done}; this one knows"
            f" {len(known)}).",
            hint="Upgrade opsmith, or name another database.",
        )


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what PostgreSQL raises into our own errors."""
    try:
        yield
    except _NOT_USABLE as error:
        raise Unreachable(
            f"The ledger cannot be used: {_first_line(error)}.",
            hint="See whether its PostgreSQL runs, has room, and lets you in.",
        ) from error
    except psycopg.Error as error:
        raise HouseError(
            f"The ledger is damaged: {_first_line(error)}.", hint="Restore a backup."
        ) from error


def _done(line: Line) -> int:
    if line.execute(QUERIES["has_scripts"]).fetchone() == (False,):
        return 0
    row = line.execute(QUERIES["scripts_done"]).fetchone()
    return int(row[0]) if row else 0


def _first_line(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
