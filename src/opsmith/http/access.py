"""Access: who may come in. Without a key only this machine, and only under a local name."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from opsmith.http.problems import problem
from opsmith.nouns.session import Principal
from opsmith.wiring.principals import Principals

# Liveness must answer a kubelet that has no key; it says nothing but that we live.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
# Keys that are hashed at once; each takes 16 MiB and some 40 ms.
GUESSES = 2
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
# Our own page, and what a person typed or a program sent.
OWN_SITES = frozenset({"same-origin", "none"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# No honest body is larger: Alertmanager's groups are some hundred kilobytes at most, OTLP
# exporters send up to 4 MiB by default.
LARGEST_BODY = 16 * 1024 * 1024


class Gate:
    """Lets a request through to `app`, or answers for it.

    key: what a caller must show, as `Authorization: Bearer KEY` or as the password of Basic;
        empty when none is set. Then the Host header must name this machine, so that a page
        from elsewhere cannot reach in through the browser (DNS rebinding).
    certified: callers showed a certificate that we trust; then any name will do.
    principals: callers with keys of their own. Whom it lets in stands in the scope as
        `principal`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        key: str,
        certified: bool = False,
        principals: Principals | None = None,
    ) -> None:
        self._app = app
        self._key = key
        self._certified = certified
        self._principals = principals
        self._guesses = asyncio.Semaphore(GUESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, 403 or 413 here, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["principal"] = await self._own(headers.get("authorization", ""))
        refusal = self._refusal(scope["path"], headers, known=scope["principal"] is not None)
        if scope["method"] not in LOOKING and _is_forged(headers):
            refusal = problem(
                403, "A page of another site asked for it; for those nothing is done."
            )
        await (refusal or self._app)(scope, receive, send)

    async def _own(self, authorization: str) -> Principal | None:
        """Whose own key was shown; a key that was not seen before takes its time."""
        if not self._principals or not authorization:
            return None
        key = _shown(authorization)
        found = self._principals.remembered(key)
        if found is None and key and not self._knows(authorization):
            async with self._guesses:
                found = await asyncio.to_thread(self._principals.who, key)
        return found

    def _refusal(self, path: str, headers: Headers, *, known: bool) -> Response | None:
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return problem(413, f"A body may have {LARGEST_BODY} bytes at most.")
        if path in OPEN_PATHS or known:
            return None
        if self._key or self._principals:
            return None if self._knows(headers.get("authorization", "")) else _unknown()
        if self._certified:
            return None
        host = headers.get("host", "").rsplit(":", 1)[0] if headers.get("host") else ""
        if host in LOCAL_NAMES or headers.get("host") in LOCAL_NAMES:
            return None
        return problem(
            403, "Without a key opsmith answers to localhost only; set one to be reached."
        )

    def _knows(self, authorization: str) -> bool:
        shown = _shown(authorization)
        right = secrets.compare_digest(shown.encode(), self._key.encode())
        return right and bool(self._key)


def is_loopback(host: str) -> bool:
    """Whether listening on `host` is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_forged(headers: Headers) -> bool:
    """Whether a browser says that a page of another site sent this, with our reader's leave.

    Sources: W3C Fetch Metadata (`Sec-Fetch-Site`), RFC 6454 (`Origin`) where that is not sent.
    """
    site = headers.get("sec-fetch-site", "")
    if site:
        return site not in OWN_SITES
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc != headers.get("host", "")


def _shown(authorization: str) -> str:
    """The key in an Authorization header."""
    scheme, _, shown = authorization.partition(" ")
    return _password(shown) if scheme.lower() == "basic" else shown


def _password(shown: str) -> str:
    try:
        return base64.b64decode(shown, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unknown() -> Response:
    response = problem(401, "Show the key as `Authorization: Bearer KEY` or as a Basic password.")
    # In lines of their own: Chromium reads one challenge a line, and asks for none it knows not.
    for scheme in ("Bearer", "Basic"):
        response.headers.append("WWW-Authenticate", f'{scheme} realm="opsmith"')
    return response
