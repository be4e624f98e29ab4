"""Doors: how a process that cannot make a socket gets a connection to the places it is for.

Opsmith keeps the door. It makes the connection, only to an address of the order, and passes the
handle. Inside, a `Line` stands for the socket class of Python, so that every client library asks
at the door without knowing of it.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from opsmith.errors import BadInput

# The path of a Unix socket, or a name and a port.
Address = str | tuple[str, int]
CONNECT_WITHIN_S = 10.0
_PORTS = {"http": 80, "https": 443}
# Of one order: a way that asks for more has lost its head, and gets none.
MOST_LINES = 256
# A name, a port and what JSON needs; a path of a Unix socket has 108 bytes at most.
_LONGEST = 4096
_HERE = b"+"


def address_of(url: str) -> Address:
    """Whom a client of `url` connects to. Raises `BadInput` for what is no address."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        return host, parts.port or _PORTS[parts.scheme.lower()]
    except (ValueError, KeyError) as error:
        raise BadInput(f"{url[:200]!r} is no http:// or https:// address.") from error


@asynccontextmanager
async def door(allowed: Collection[Address]) -> AsyncIterator[int]:
    """The handle by which a carrier asks for connections to `allowed`, while this is open."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(0)
        keeper = asyncio.create_task(_keep(ours, frozenset(allowed)))
        try:
            yield theirs.fileno()
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await keeper


async def readable(line: socket.socket) -> None:
    """Come back when there is something to receive, or the other side is gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(line, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(line)


async def _keep(ours: socket.socket, allowed: frozenset[Address]) -> None:
    async with asyncio.TaskGroup() as answering:
        for _ in range(MOST_LINES):
            await readable(ours)
            asked, handles, _, _ = socket.recv_fds(ours, _LONGEST, 1)
            if handles:
                answering.create_task(_answer(asked, handles[0], allowed))


async def _answer(asked: bytes, handle: int, allowed: frozenset[Address]) -> None:
    """Pass a connection, or say why there is none, to whoever holds the other end of `handle`."""
    with socket.socket(fileno=handle) as asker, suppress(OSError):
        asker.settimeout(0)
        try:
            with await _connected(_address(asked), allowed) as line:
                socket.send_fds(asker, [_HERE], [line.fileno()])
        except (OSError, TimeoutError) as error:
            why = error.errno or errno.ETIMEDOUT, error.strerror or "it takes too long"
            asker.send(json.dumps(why).encode())


def _address(asked: bytes) -> Address | None:
    """What was asked for, None for nonsense."""
    try:
        told = json.loads(asked)
    except ValueError:
        return None
    if isinstance(told, list) and [type(one) for one in told] == [str, int]:
        return told[0], told[1]
    return told if isinstance(told, str) else None


async def _connected(address: Address | None, allowed: frozenset[Address]) -> socket.socket:
    if address not in allowed:
        raise PermissionError(errno.EACCES, "the order is not for that address")
    async with asyncio.timeout(CONNECT_WITHIN_S):
        if isinstance(address, str):
            return await _tried(socket.AF_UNIX, address)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
        for family, _, _, _, place in found[:-1]:
            with suppress(OSError):
                return await _tried(family, place)
        return await _tried(found[-1][0], found[-1][4])


async def _tried(family: int, place: str | tuple[object, ...]) -> socket.socket:
    line = socket.socket(family, socket.SOCK_STREAM)
    try:
        line.settimeout(0)
        await asyncio.get_running_loop().sock_connect(line, place)
    except BaseException:
        line.close()
        raise
    return line


class Line(socket.socket):
    """A socket whose connection comes through the door; until then it leads nowhere."""

    door: socket.socket

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002 - as Python has it
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        self._wished: list[tuple[object, ...]] | None = None
        if fileno is None:
            one, other = _pair()
            os.close(other)
            family = socket.AF_INET if family == -1 else family
            kind = socket.SOCK_STREAM if type == -1 else type
            super().__init__(family, kind, 0 if proto == -1 else proto, one)
            self._wished = []
        else:
            super().__init__(family, type, proto, fileno)

    def setsockopt(self, *wished: object) -> None:
        """Set it, once there is a connection."""
        if self._wished is None:
            super().setsockopt(*wished)  # type: ignore[call-overload]
        else:
            self._wished.append(wished)

    def connect(self, address: object) -> None:
        """Ask at the door. Raises `OSError` with what the door says."""
        place = list(address[:2]) if isinstance(address, tuple) else address
        one, other = _pair()
        with socket.socket(fileno=one) as asked:
            socket.send_fds(self.door, [json.dumps(place).encode()], [other])
            os.close(other)
            said, handles, _, _ = socket.recv_fds(asked, _LONGEST, 1)
        if not handles:
            number, why = json.loads(said) if said else (errno.ECONNREFUSED, "the door is shut")
            raise OSError(number, why)
        os.dup2(handles[0], self.fileno(), inheritable=False)
        os.close(handles[0])
        self.settimeout(self.gettimeout())
        wished, self._wished = self._wished or [], None
        for wish in wished:
            with suppress(OSError):  # of another family, such as TCP_NODELAY of a Unix socket
                self.setsockopt(*wish)


class LineLoop(asyncio.SelectorEventLoop):
    """An event loop that does other things while a line waits at the door."""

    async def sock_connect(self, sock: socket.socket, address: object) -> None:
        """Connect in a thread."""
        if isinstance(sock, Line):
            await self.run_in_executor(None, sock.connect, address)


def stand_in() -> None:
    """From now on the sockets of this process are lines, and names are left to the door."""
    vars(socket).update(socket=Line, getaddrinfo=_unresolved)


def ask_at(handle: int) -> None:
    """From now on lines are connected through this door."""
    Line.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=handle)


def _pair() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


def _unresolved(
    host: str | bytes | None, port: int | str | None, *_: object, **__: object
) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """Names are left to the door."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    place = name, int(port or 0)
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]
