"""Opening the queue: a client of a server by address, or of the embedded one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from opsmith.backends.queue.embedded import EmbeddedServer
from opsmith.backends.queue.streams import StreamQueue
from opsmith.errors import BadInput

# Valkey's own names for what the client knows by Redis'.
SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
}
# Longer than a blocking read, no longer than a person waits for a command.
PATIENCE_S = 10.0
CONNECT_S = 5.0


def at_address(url: str, *, password: str, lease: timedelta, per_tenant: int) -> StreamQueue:
    """The queue on somebody's server. Raises `BadInput` for an address that is none."""
    try:
        parts = urlsplit(url)
        scheme = SCHEMES[parts.scheme]
        if parts.password:
            raise BadInput(
                "The queue's password stands in OPSMITH_QUEUE_PASSWORD, not its address."
            )
        known = parts._replace(scheme=scheme).geturl()
        client = _client(known, password=password)
    except (KeyError, ValueError) as error:
        names = ", ".join(f"{name}://" for name in SCHEMES)
        raise BadInput(
            f"{url[:80]!r} is no address of a queue.",
            hint=f"It begins with one of {names} and goes on with HOST:PORT/NUMBER or a path.",
        ) from error
    return StreamQueue(client, lease=lease, per_tenant=per_tenant)


def embedded(
    folder: Path, *, binary: Callable[[], Path], lease: timedelta, per_tenant: int
) -> StreamQueue:
    """The queue on the server of a folder, which is started when it does not run.

    Raises `Unreachable` when it does not start.
    """
    server = EmbeddedServer(folder, binary=binary)
    server.enter()
    return StreamQueue(
        _client(f"unix://{server.path}", password=""),
        lease=lease,
        per_tenant=per_tenant,
        revive=server.revive,
        bye=server.leave_soon,
    )


def _client(url: str, *, password: str) -> Redis:
    client = Redis.from_url(
        url,
        password=password or None,
        protocol=2,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=CONNECT_S,
        retry=Retry(NoBackoff(), 0),  # who calls knows better when to try again
    )
    client.response_callbacks.clear()  # what answers mean is read in one place, `wire.py`
    return client
