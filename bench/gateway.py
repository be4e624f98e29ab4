"""What the gateway costs over its backend: `opsmith up` before a fast model server, over the wire.

The backend is a process that speaks OpenAI's protocol and writes the time into each token, so
that the way of every token is measured; the same client asks it directly for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PACE_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


class Backend(asyncio.Protocol):
    """Answers a prompt `TOKENS PACE_S` with that many tokens, each the time at which it left."""

    def __init__(self) -> None:
        self._got = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Stop writing."""
        del error
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole."""
        self._got += data
        head, there, body = self._got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if there and len(body) >= length:
            self._got = b""
            self._task = asyncio.create_task(self._answer(head, body))

    async def _answer(self, head: bytes, body: bytes) -> None:
        transport = self._transport
        assert transport
        if head.startswith(b"GET"):
            listed = b'{"data": [{"id": "fast"}]}'
            transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(listed), listed)
            )
            return
        tokens, pace_s = json.loads(body)["messages"][0]["content"].split()
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        began = time.monotonic()
        for number in range(int(tokens)):
            if float(pace_s):
                await asyncio.sleep(began + number * float(pace_s) - time.monotonic())
            text = b"%.6f " % time.monotonic()
            transport.write(_chunk(b'{"choices":[{"delta":{"content":"%s"}}]}' % text))
        transport.write(_chunk(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'))
        usage = b'"prompt_tokens":2,"completion_tokens":%s' % tokens.encode()
        transport.write(_chunk(b'{"choices":[],"usage":{%s}}' % usage))
        transport.write(_chunk(b"[DONE]") + b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    event = b"data: %s\n\n" % data
    return b"%x\r\n%s\r\n" % (len(event), event)


async def serve_backend(port: int) -> None:
    """Run the backend until the process is ended."""
    server = await asyncio.get_running_loop().create_server(
        Backend, "127.0.0.1", port, backlog=2048
    )
    await server.serve_forever()


@dataclass
class Heard:
    """What one stream brought. ways_s: of each token from the backend to here; total_s: of all."""

    ways_s: list[float] = field(default_factory=list)
    total_s: float = 0.0
    first_s: float = 0.0
    ended: bool = False


@dataclass(frozen=True)
class Target:
    """Where to ask and in which form."""

    name: str
    port: int
    path: str
    ends: bytes

    def request(self, tokens: int, pace_s: float) -> bytes:
        """The whole request."""
        prompt = f"{tokens} {pace_s}"
        asked: dict[str, object] = {"prompt": prompt, "stream": True}
        if self.path != "/v1/infer":
            asked = {"messages": [{"role": "user", "content": prompt}], "stream": True}
        body = json.dumps(asked).encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


async def stream(target: Target, tokens: int, pace_s: float) -> Heard:
    """Ask once and read to the end, noting when each token came."""
    heard, began = Heard(), time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(target.request(tokens, pace_s))
    async for event in events(reader):
        if target.ends in event:
            heard.ended = True
            break
        stamp = event.partition(b'"text":"')[2] or event.partition(b'"content":"')[2]
        if stamp[:1].isdigit():
            now = time.monotonic()
            heard.first_s = heard.first_s or now - began
            heard.ways_s.append(now - float(stamp.split(b" ")[0]))
    heard.total_s = time.monotonic() - began
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return heard


async def events(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The events of a chunked body; a chunk is taken for one, which both ends keep to."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(head.decode() + (await reader.read(500)).decode())
    while size := int((await reader.readline()).strip() or b"0", 16):
        block = await reader.readexactly(size + 2)
        for event in block.split(b"\n\n"):
            yield event


async def latency(targets: list[Target], requests: int, tokens: int) -> dict[str, list[Heard]]:
    """One at a time, in turn: each target sees the same state of the machine."""
    found: dict[str, list[Heard]] = {target.name: [] for target in targets}
    for number in range(requests + 20):
        for target in targets:
            heard = await stream(target, tokens, 0.0)
            if number >= 20:  # the first ones warm up
                found[target.name].append(heard)
    return found


async def together(target: Target, streams: int, seconds: float) -> list[Heard]:
    """Many streams at once, started evenly over one pace."""

    async def late(number: int) -> Heard:
        await asyncio.sleep(number / streams)
        return await stream(target, int(seconds / PACE_S), PACE_S)

    return await asyncio.gather(*(late(number) for number in range(streams)))


@contextmanager
def running(*command: str, port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers on a port."""
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def processor_s(pid: int) -> float:
    """Processor time of a process so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def settle(pid: int) -> None:
    """Wait until a process that has just started has nothing more to do, 30 s at most."""
    for _ in range(30):
        before = processor_s(pid)
        time.sleep(1)
        if processor_s(pid) - before < 0.03:
            return


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def quantiles(values: list[float]) -> str:
    """Median and 99th percentile in milliseconds."""
    p50, p99 = np.percentile(np.array(values) * 1e3, [50, 99])
    return f"p50 {p50:8.2f} ms   p99 {p99:8.2f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="one at a time, for the cost")
    parser.add_argument("--tokens", type=int, default=8, help="of each of those answers")
    parser.add_argument("--streams", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--seconds", type=float, default=10.0, help="each stream's length")
    parser.add_argument("--openai", action="store_true", help="ask the gateway as OpenAI's do")
    parser.add_argument("--backend", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.backend:
        asyncio.run(serve_backend(chosen.backend))
        return
    back, front = free_port(), free_port()
    direct = Target("backend", back, "/v1/chat/completions", b"[DONE]")
    gateway = Target("gateway", front, "/v1/infer", b"event: done")
    if chosen.openai:
        gateway = Target("gateway", front, direct.path, direct.ends)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(sys.executable, __file__, "--backend", str(back), port=back),
        running(
            *(sys.executable, "-m", "opsmith", "up"),
            port=front,
            OPSMITH_DATA_DIR=folder,
            OPSMITH_LISTEN=f"127.0.0.1:{front}",
            OPSMITH_LLM_URL=f"http://127.0.0.1:{back}/v1",
            OPSMITH_LLM_AT_ONCE="1000",
        ) as up,
    ):
        settle(up.pid)
        measure_cost(direct, gateway, up.pid, chosen)
        for streams in chosen.streams:
            measure_streams([direct, gateway], streams, up.pid, chosen.seconds)


def measure_cost(direct: Target, gateway: Target, pid: int, chosen: argparse.Namespace) -> None:
    """The gateway's own cost: what an answer takes longer than without it."""
    before = processor_s(pid)
    found = asyncio.run(latency([direct, gateway], chosen.requests, chosen.tokens))
    spent = processor_s(pid) - before
    print(f"one at a time, {chosen.requests} answers of {chosen.tokens} tokens")
    for name, heard in found.items():
        print(f"  {name:8} whole answer    {quantiles([one.total_s for one in heard])}")
    for what in ("first_s", "total_s"):
        own = [
            getattr(mine, what) - getattr(bare, what)
            for bare, mine in zip(found["backend"], found["gateway"], strict=True)
        ]
        print(f"  own cost, {what:8}      {quantiles(own)}")
    print(f"  processor time of the gateway: {spent / (chosen.requests + 20) * 1e3:.2f} ms each")


def measure_streams(targets: list[Target], streams: int, pid: int, seconds: float) -> None:
    """Many open streams: how late tokens are, and whether any is lost."""
    print(f"{streams} streams at {1 / PACE_S:g} tokens a second each, {seconds:g} s")
    for target in targets:
        before, began = processor_s(pid), time.monotonic()
        heard = asyncio.run(together(target, streams, seconds))
        took, spent = time.monotonic() - began, processor_s(pid) - before
        ways = [way for one in heard for way in one.ways_s]
        lost = streams * int(seconds / PACE_S) - len(ways)
        cut = sum(not one.ended for one in heard)
        print(f"  {target.name:8} way of a token  {quantiles(ways)}   lost {lost}, cut {cut}")
        if target.name == "gateway":
            print(f"  {spent:.1f} s of processor in {took:.1f} s")


if __name__ == "__main__":
    main()
