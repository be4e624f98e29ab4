"""The wire: who we are, secrets that change, retries, nothing of httpx outside."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from opsmith.backends.wire import http
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.seams.wire import Access, Answer, Tls

Reply = Callable[[httpx.Request], httpx.Response]


def library_errors() -> Iterator[type[Exception]]:
    """Every error that httpx says a request may raise."""
    waiting: list[type[Exception]] = [httpx.HTTPError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        yield error
    yield httpx.InvalidURL


class Server:
    """Answers in this process; remembers what it was sent and how long was waited."""

    def __init__(self, reply: Reply = lambda _: httpx.Response(200, content=b"ok")) -> None:
        self.seen: list[httpx.Request] = []
        self.waited: list[float] = []
        self._reply = reply

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self._reply(request)

    def wire(self, access: Access) -> HttpWire:
        async def sleep(seconds: float) -> None:
            self.waited.append(seconds)

        transport = httpx.MockTransport(self.answer)
        return HttpWire(access, transport=transport, rng=Random(7), sleep=sleep)


def in_turn(*answers: int) -> Reply:
    left = list(answers)
    return lambda _: httpx.Response(left.pop(0), content=b"x")


@pytest.mark.parametrize("error", sorted(set(library_errors()), key=str), ids=lambda e: e.__name__)
async def test_no_error_of_the_library_escapes(error: type[Exception]) -> None:
    def failing(request: httpx.Request) -> httpx.Response:
        if error is httpx.HTTPStatusError:
            raise httpx.HTTPStatusError("odd", request=request, response=httpx.Response(500))
        raise error("odd")

    with pytest.raises((Unreachable, BadAnswer)):
        await Server(failing).wire(Access(url="http://p", retries=0)).get("x", ())


async def test_what_passes_is_tried_again_with_growing_waits_by_chance() -> None:
    server = Server(in_turn(503, 429, 200))

    answer = await server.wire(Access(url="http://p")).get("x", ())

    assert answer == Answer(status=200, content=b"x")
    assert len(server.waited) == 2
    assert all(0 <= wait <= http.FIRST_WAIT_S * 2**n for n, wait in enumerate(server.waited))


async def test_what_does_not_pass_is_not_tried_again() -> None:
    server = Server(in_turn(500))

    assert (await server.wire(Access(url="http://p")).get("x", ())).status == 500
    assert server.waited == []


async def test_after_the_last_try_the_answer_stands() -> None:
    server = Server(in_turn(503, 503, 503))

    assert (await server.wire(Access(url="http://p")).post("x", (("a", "b"),))).status == 503


async def test_a_server_that_is_gone_is_asked_as_often_as_it_was_said() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server = Server(gone)

    with pytest.raises(Unreachable, match="did not answer"):
        await server.wire(Access(url="http://p", retries=3)).get("x", ())
    assert len(server.seen) == 4


async def test_a_token_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    file, server = tmp_path / "token", Server()
    file.write_text("first\n")
    wire = server.wire(Access(url="http://p", token_file=file))

    await wire.get("x", ())
    replaced = tmp_path / "new"
    replaced.write_text("other\n")
    os.replace(replaced, file)  # noqa: PTH105 - the same size and perhaps the same time
    await wire.get("x", ())

    told = [request.headers["authorization"] for request in server.seen]
    assert told == ["Bearer first", "Bearer other"]


async def test_basic_headers_and_parameters_go_with_every_request(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("hunter2")
    (tmp_path / "org").write_text("team-a")
    server = Server()
    access = Access(
        url="http://p/prefix/",
        user="ann",
        password_file=tmp_path / "word",
        headers=(("X-From", "opsmith"),),
        header_files=(("X-Scope-OrgID", tmp_path / "org"),),
        params=(("dedup", "true"),),
    )
    wire = server.wire(access)

    await wire.get("api/x", (("q", "up"), ("q", "down")))
    await wire.post("api/x", (("q", "up"),))

    first, second = server.seen
    assert first.headers["authorization"] == "Basic YW5uOmh1bnRlcjI="
    assert (first.headers["x-from"], first.headers["x-scope-orgid"]) == ("opsmith", "team-a")
    assert str(first.url) == "http://p/prefix/api/x?dedup=true&q=up&q=down"
    assert (str(second.url), second.content) == ("http://p/prefix/api/x?dedup=true", b"q=up")


async def test_a_password_in_the_address_is_sent_and_never_told() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server = Server(gone)

    with pytest.raises(Unreachable) as caught:
        await server.wire(Access(url="http://ann:hunter2@p:9/x/", retries=0)).get("y", ())

    assert "http://p:9 did not answer" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert server.seen[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff\xfe", b"x" * 70_000])
async def test_a_file_that_holds_no_secret_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    wire = Server().wire(Access(url="http://p", token_file=tmp_path / "token"))

    with pytest.raises(BadInput, match="holds no secret"):
        await wire.get("x", ())


async def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    wire = Server().wire(Access(url="http://p", token_file=tmp_path / "none"))

    with pytest.raises(BadInput, match="none: cannot be read"):
        await wire.get("x", ())


@pytest.mark.parametrize("status", [401, 403])
async def test_a_closed_door_is_said_with_what_to_check(status: int) -> None:
    with pytest.raises(BadInput, match="does not let us in"):
        await Server(in_turn(status)).wire(Access(url="http://p")).get("x", ())


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER_BYTES", 100)
    server = Server(lambda _: httpx.Response(200, content=b"x" * 1000))

    with pytest.raises(BadAnswer, match="ask for less"):
        await server.wire(Access(url="http://p")).get("x", ())


@pytest.mark.parametrize("url", ["http://[::1", "http://p:port", "ftp\x00://p", "ftp://p", "p:9"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        HttpWire(Access(url=url))


@pytest.mark.parametrize("field", ["ca_file", "cert_file"])
async def test_tls_files_that_are_none_are_named(tmp_path: Path, field: str) -> None:
    (tmp_path / "not.pem").write_text("no")
    files = {field: tmp_path / "not.pem"}
    if field == "cert_file":
        files["key_file"] = tmp_path / "not.pem"

    with pytest.raises(BadInput, match=r"not\.pem"):
        HttpWire(Access(url="https://p", tls=Tls(**files)))
