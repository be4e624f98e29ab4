"""The wire over httpx: who we are, TLS, time limits, retries with jitter, bounded answers.

Source of the waits: Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015),
full jitter.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from random import Random, SystemRandom

import httpx

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.seams.wire import Access, Answer, Pairs, Probed, Tls

# A range query of 50,000 series of 500 points is below this.
LARGEST_ANSWER_BYTES = 2**30
# What a server says of a state that passes.
PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 5.0
# Secrets are a line; a file that is larger is another one.
LARGEST_SECRET_BYTES = 64 * 1024
_LONGEST_REASON = 300


class HttpWire:
    """Asks the server of an `Access`. Close it when done; it holds connections.

    rng and sleep: chance and the clock of the waits between tries.
    """

    def __init__(
        self,
        access: Access,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access = access
        self._rng = rng or SystemRandom()
        self._sleep = sleep
        self._secrets = _Secrets()
        self._shown = _Shown(access.tls)
        try:
            base = _base(access.url)
            self._where = f"{base.scheme}://{base.netloc.decode()}".replace(
                base.userinfo.decode() + "@", ""
            )
            self._client = httpx.AsyncClient(
                base_url=base,
                timeout=access.timeout_s,
                transport=transport,
                verify=self._shown.context if base.scheme == "https" else True,
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise BadInput(f"{access.url[:200]!r} is no http:// or https:// address.") from error

    @property
    def where(self) -> str:
        """The server's address without user and password."""
        return self._where

    async def get(self, path: str, query: Pairs) -> Answer:
        """Ask by GET."""
        return await self._asked("GET", path, query=query)

    async def post(self, path: str, form: Pairs) -> Answer:
        """Ask by POST with a form."""
        return await self._asked("POST", path, form=form)

    async def send(self, method: str, path: str, document: object = None) -> Answer:
        """Change something there; a document of None sends no body."""
        self._shown.renew()
        request = self._client.build_request(
            method,
            path,
            headers=self._headers(),
            params=httpx.QueryParams(self._access.params),
            json=document,
        )
        return self._let_in(await self._once(request))

    async def probe(self, method: str, *, most_bytes: int) -> Probed:
        """Ask the address itself, once, on a connection of its own."""
        self._shown.renew()
        alone = {"Accept-Encoding": "identity", "Connection": "close"}
        request = self._client.build_request(
            method,
            self._access.url,
            headers=self._headers() | alone,
            params=httpx.QueryParams(self._access.params) if self._access.params else None,
        )
        content = bytearray()
        async with self._sent(request) as answer:
            ends = _certificate_ends(answer)
            async for block in answer.aiter_raw():
                content += block
                if len(content) >= most_bytes:
                    break
            return Probed(
                status=answer.status_code,
                content=bytes(content[:most_bytes]),
                certificate_ends=ends,
            )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _asked(
        self,
        method: str,
        path: str,
        *,
        query: Pairs = (),
        form: Pairs = (),
    ) -> Answer:
        """The answer of the first try that gets one worth having."""
        self._shown.renew()
        params = httpx.QueryParams([*self._access.params, *query])
        for left in range(self._access.retries, -1, -1):
            request = self._client.build_request(
                method, path, headers=self._headers(), params=params, data=_grouped(form)
            )
            try:
                answer = await self._once(request)
            except Unreachable:
                if not left:
                    raise
            else:
                if answer.status not in PASSING or not left:
                    return self._let_in(answer)
            await self._sleep(self._wait_s(self._access.retries - left))
        raise AssertionError  # the last try returns or raises

    async def _once(self, request: httpx.Request) -> Answer:
        """One try, to the end of its answer."""
        content = bytearray()
        async with self._sent(request) as answer:
            async for block in answer.aiter_bytes():
                content += block
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise BadAnswer(f"{self._where} answers more than 1 GiB; ask for less.")
        return Answer(status=answer.status_code, content=bytes(content))

    @asynccontextmanager
    async def _sent(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """The answer while it is read; every error of the library ends here."""
        try:
            answer = await self._client.send(request, stream=True)
            try:
                yield answer
            finally:
                await answer.aclose()
        # A server that refuses our certificate says so while we read; that comes as it is.
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{self._where} did not answer ({reason[:_LONGEST_REASON]}).",
                hint="Is the server up and its address right?",
            ) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise BadAnswer(f"{self._where} answered what HTTP does not allow.") from error

    def _let_in(self, answer: Answer) -> Answer:
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise BadInput(
                f"{self._where} does not let us in (HTTP {answer.status}).",
                hint="Check the user, token or certificate of this source.",
            )
        return answer

    def _headers(self) -> dict[str, str]:
        access = self._access
        found = dict(access.headers)
        for name, path in access.header_files:
            found[name] = self._secrets.read(path)
        if access.token_file is not None:
            found["Authorization"] = f"Bearer {self._secrets.read(access.token_file)}"
        elif access.user:
            word = self._secrets.read(access.password_file) if access.password_file else ""
            basic = httpx.BasicAuth(access.user, word)
            request = next(basic.auth_flow(httpx.Request("GET", access.url)))
            found["Authorization"] = request.headers["Authorization"]
        return found

    def _wait_s(self, tried: int) -> float:
        return self._rng.uniform(0.0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**tried))


def _base(url: str) -> httpx.URL:
    base = httpx.URL(url.rstrip("/") + "/")
    if base.scheme not in ("http", "https") or not base.host:
        raise ValueError(base.scheme)
    return base


def _certificate_ends(answer: httpx.Response) -> datetime | None:
    """Of a certificate that was verified; Python tells nothing of another."""
    stream = answer.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    ends = tls.getpeercert().get("notAfter") if tls is not None else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None


class _Secrets:
    """Files with one secret each, read again when they change."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def read(self, path: Path) -> str:
        """The secret. Raises `BadInput` when there is none that a header may hold."""
        mark = _mark(path)
        known = self._known.get(path)
        if known is None or known[0] != mark:
            known = self._known[path] = (mark, _secret(path))
        return known[1]


class _Shown:
    """The TLS context; the certificate that we show is loaded again when its files change."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._marks: tuple[tuple[int, int, int], ...] = ()
        try:
            self.context = ssl.create_default_context(cafile=tls.ca_file)
        except OSError as error:
            raise BadInput(f"{tls.ca_file}: no certificates can be read from it.") from error
        if not tls.verify:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        self.renew()

    def renew(self) -> None:
        """Load the certificate when its files are new. Raises `BadInput` when it is none."""
        if self._tls.cert_file is None or self._tls.key_file is None:
            return
        marks = (_mark(self._tls.cert_file), _mark(self._tls.key_file))
        if marks == self._marks:
            return
        try:
            self.context.load_cert_chain(self._tls.cert_file, self._tls.key_file)
        except OSError as error:
            raise BadInput(
                f"{self._tls.cert_file}: no certificate with the key {self._tls.key_file}."
            ) from error
        self._marks = marks


def _mark(path: Path) -> tuple[int, int, int]:
    """What changes when a file is replaced or written."""
    try:
        seen = path.stat()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_SECRET_BYTES + 1).decode().strip()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: holds no secret (it is not text).") from error
    if not text or not text.isprintable() or len(text) > LARGEST_SECRET_BYTES:
        raise BadInput(f"{path}: holds no secret (one line of text is expected).")
    return text


def _grouped(form: Pairs) -> Mapping[str, list[str]] | None:
    """The form as httpx takes it: the values of one name together."""
    found: dict[str, list[str]] = {}
    for name, value in form:
        found.setdefault(name, []).append(value)
    return found or None
