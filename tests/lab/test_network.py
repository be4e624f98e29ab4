import asyncio
import time

import pytest
from opsmith_lab.link import Link


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece)
    writer.close()


async def through(link: Link, word: bytes) -> tuple[bytes, float]:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as callee:
        link.target_port = callee.sockets[0].getsockname()[1]
        async with await asyncio.start_server(link.serve, "127.0.0.1", 0) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            started = time.monotonic()
            writer.write(word)
            answer = await reader.read(100)
            lasted = time.monotonic() - started
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
    return answer, lasted


async def test_a_link_passes_what_both_sides_say() -> None:
    answer, _ = await through(Link(name="a->b", target_port=0), b"hello")

    assert answer == b"hello"


async def test_a_slow_link_holds_back_what_the_caller_sends() -> None:
    answer, lasted = await through(Link(name="a->b", target_port=0, delay_s=0.2), b"hello")

    assert answer == b"hello"
    assert lasted >= 0.2


async def test_pieces_sent_together_are_delayed_together() -> None:
    link = Link(name="a->b", target_port=0, delay_s=0.3)
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as callee:
        link.target_port = callee.sockets[0].getsockname()[1]
        async with await asyncio.start_server(link.serve, "127.0.0.1", 0) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            started = time.monotonic()
            for piece in (b"head", b"body", b"tail"):
                writer.write(piece)
                await asyncio.sleep(0.05)

            assert await reader.readexactly(12) == b"headbodytail"
            assert time.monotonic() - started < 0.85  # three delays in a row would be 0.9

            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)


async def test_a_link_that_resets_answers_with_a_reset() -> None:
    link = Link(name="a->b", target_port=0, reset_share=1.0)

    with pytest.raises(ConnectionResetError):
        await through(link, b"hello")


async def test_a_link_to_nowhere_closes_the_connection() -> None:
    link = Link(name="a->b", target_port=1)
    async with await asyncio.start_server(link.serve, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        assert await reader.read(100) == b""

        writer.close()
        await writer.wait_closed()
