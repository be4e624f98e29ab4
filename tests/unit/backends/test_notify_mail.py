"""E-mail against a small real SMTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message

import pytest

from opsmith.backends.notify.mail import MailNotify
from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.seams.notify import Notice

NOTICE = Notice(
    incident="i1",
    state="open",
    title="open: Slow\nX-Evil: 1",
    lines=("the pool",),
    link="",
    revision=1,
    at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Post:
    """Takes mail as RFC 5321 says, or refuses every recipient."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.mails: list[Message] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_string(text[:-5].decode()))
            refused = verb == b"RCPT" and self.refuses
            bye = b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n"
            writer.write(b"550 nobody\r\n" if refused else bye)
            await writer.drain()
            if verb == b"QUIT":
                break
        writer.close()


@asynccontextmanager
async def running(post: Post) -> AsyncIterator[str]:
    server = await asyncio.start_server(post.serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_later_mails_answer_the_first_and_a_name_adds_no_header() -> None:
    post = Post()
    async with running(post) as address:
        place = MailNotify(f"smtp://{address}", sender="o@example.org", to=("a@example.org",))
        handle = await place.send(NOTICE, handle="")
        again = await place.send(replace(NOTICE, revision=2), handle=handle)

    first, second = post.mails
    assert first["Subject"] == "[opsmith] open: Slow X-Evil: 1"
    assert first["X-Evil"] is None
    assert second["In-Reply-To"] == first["Message-ID"] == handle == again


async def test_a_refusal_is_told_from_a_server_that_is_down() -> None:
    async with running(Post(refuses=True)) as address:
        place = MailNotify(f"smtp://{address}", sender="o@example.org", to=("a@example.org",))
        with pytest.raises(BadAnswer):
            await place.send(NOTICE, handle="")

    with pytest.raises(Unreachable):
        await place.send(NOTICE, handle="")


async def test_a_password_is_never_sent_in_the_clear() -> None:
    async with running(Post()) as address:
        place = MailNotify(
            f"smtp://me:pw@{address}", sender="o@example.org", to=("a@example.org",)
        )
        with pytest.raises(Unreachable, match="no TLS"):
            await place.send(NOTICE, handle="")


def test_a_place_without_a_server_is_refused() -> None:
    with pytest.raises(BadInput):
        MailNotify("http://x", sender="o@example.org", to=("a@example.org",))
