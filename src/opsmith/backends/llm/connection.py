"""HTTP/1.1 to one server, a stream at a time on each connection, parsed by llhttp (httptools).

A client library of general use takes longer over a token than all of the gateway; what a stream
of tokens needs of HTTP is little: no redirects, no proxies, no compression, no cookies.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, unquote, urlsplit

from httptools import HttpParserError, HttpResponseParser

CONNECT_S = 5.0
MOST_IDLE = 64
# Above this the other end is not read from until what is here was taken.
MOST_UNREAD_BYTES = 1024 * 1024
# Headers that answer a prompt are some hundred bytes.
MOST_HEADERS = 200
_HOST = re.compile(r"[A-Za-z0-9._:\[\]%-]{1,255}")
_FIRST_FINAL = 200


class Connection(asyncio.Protocol):
    """One connection: sends a request, then gives the answer's head and its body in blocks.

    All that waits raises `TimeoutError` after the deadline of `send`, `ConnectionError` when the
    other end hangs up too early, `ValueError` when it does not speak HTTP.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._fault: Exception | None = None
        self._paused = False
        self.used = False
        self._begin()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        clean = self._ended and self._keeps and self._fault is None
        return clean and self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, *, ends: float) -> None:
        """Send a whole request. ends: the deadline of its answer, in the time of the loop."""
        self._begin()
        self._alarm = self._loop.call_at(ends, self._ring)
        if self._transport is not None:
            self._transport.write(request)

    async def head(self) -> int:
        """The status of the answer, once its head is here; `headers` are then known."""
        while not self._headed:
            await self._more()
        return self.status

    async def block(self) -> bytes:
        """More of the body; empty at its end."""
        while not self._unread:
            if self._ended:
                return b""
            await self._more()
        content = b"".join(self._unread)
        self._unread.clear()
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return content

    def close(self) -> None:
        """Hang up."""
        self.rest()
        if self._transport is not None:
            self._transport.abort()

    def rest(self) -> None:
        """No answer is waited for any more."""
        self.used = True
        if self._alarm is not None:
            self._alarm.cancel()

    def _begin(self) -> None:
        self._parser = HttpResponseParser(self)
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._unread: deque[bytes] = deque()
        self._headed = False
        self._ended = False
        self._keeps = False
        self._paused = False

    async def _more(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ring(self) -> None:
        self._fault = TimeoutError()
        self._wake()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fault = ValueError(str(error))
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """The end of a body that states no length, and of all others too early."""
        stated = {b"content-length", b"transfer-encoding"} & self.headers.keys()
        if self._headed and error is None and not stated:
            self._ended = True
        if self._fault is None:
            self._fault = ConnectionError(str(error or "the server hung up"))
        self._keeps = False
        self._wake()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if len(self.headers) < MOST_HEADERS:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is here, unless it only announces another one."""
        self.status = self._parser.get_status_code()
        self._headed = self.status >= _FIRST_FINAL
        self._keeps = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._unread.append(body)
        many = sum(map(len, self._unread)) > MOST_UNREAD_BYTES
        if many and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._headed:
            self._ended = True
        else:
            self.headers.clear()


class Origin:
    """Where a server is, with the connections to it that are free. Raises `ValueError`.

    url: http:// or https://, with a path prefix; a user and a password in it are sent as Basic.
    """

    def __init__(self, url: str, *, key: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise ValueError(parts.scheme)
        if not (key.isascii() and (key.isprintable() or not key)):
            raise ValueError("key")
        secure = parts.scheme == "https"
        self._host, self._port = host, parts.port or (443 if secure else 80)
        self._tls = ssl.create_default_context() if secure else None
        self._prefix = parts.path.rstrip("/")
        place = parts.netloc.rpartition("@")[2]
        self.where = f"{parts.scheme}://{place}"
        self._headers = (
            f"Host: {place}\r\nAccept-Encoding: identity\r\nUser-Agent: opsmith\r\n"
            f"{_authorization(parts, key)}"
        )
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def asked(
        self, method: str, path: str, body: bytes, *, ends: float
    ) -> AsyncIterator[Connection]:
        """A connection whose answer has its head; leaving before the end of it hangs up."""
        request = self._request(method, path, body)
        connection = self._free() or await self._fresh(ends)
        try:
            try:
                connection.send(request, ends=ends)
                await connection.head()
            except ConnectionError:
                # One that was kept may have been closed at the other end meanwhile.
                if not connection.used:
                    raise
                connection.close()
                connection = await self._fresh(ends)
                connection.send(request, ends=ends)
                await connection.head()
            yield connection
        finally:
            connection.rest()
            if connection.usable and len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Hang up everywhere."""
        while self._idle:
            self._idle.pop().close()

    def _free(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _fresh(self, ends: float) -> Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout_at(min(ends, loop.time() + CONNECT_S)):
            _, connection = await loop.create_connection(
                Connection, self._host, self._port, ssl=self._tls
            )
        return connection

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        typed = "Content-Type: application/json\r\n" if body else ""
        head = (
            f"{method} {self._prefix}/{path} HTTP/1.1\r\n{self._headers}{typed}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii", "replace") + body


def _authorization(parts: SplitResult, key: str) -> str:
    if key:
        return f"Authorization: Bearer {key}\r\n"
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
