"""The wire seam: one HTTP server that is asked, and as whom it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server proves itself to us and we to it.

    ca_file: PEM of who may vouch for the server, None for the machine's own list.
    cert_file, key_file: PEM of our certificate and its key, both or none.
    verify: False takes any certificate; only for a try.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a server is and what it wants to see. Secrets stand in files and are read from there.

    url: the base address with its path prefix; a password in it is sent as HTTP Basic.
    user, password_file: HTTP Basic. token_file: a bearer token; read again when the file changes.
    headers: sent with every request; header_files: the same, each value from a file.
    params: added to every query. timeout_s: of one try, seconds; retries: tries after the first.
    """

    url: str
    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()
    header_files: tuple[tuple[str, Path], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    tls: Tls = Tls()
    timeout_s: float = 30.0
    retries: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered: HTTP status and the whole body, unpacked."""

    status: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What one try was answered, whatever the status. content: its beginning, as it was sent.

    certificate_ends: when the server's certificate ends (UTC-aware), None where none was verified.
    """

    status: int
    content: bytes
    certificate_ends: datetime | None = None


class Wire(Protocol):
    """Asks one HTTP server, and brings the whole answer; follows no redirect.

    A question that failed in a way that passes (no connection, 429, 502, 503, 504) is asked
    again; what changes something there is sent once.
    Raises `Unreachable` when the server does not answer, `BadAnswer` when the answer is none or
    too large, `BadInput` when the server does not let us in or a secret's file cannot be read.
    """

    @property
    def where(self) -> str:
        """The server's address as it may be shown: no user, no password."""

    async def get(self, path: str, query: Pairs) -> Answer:
        """Ask by GET; `path` is relative to the base address."""

    async def post(self, path: str, form: Pairs) -> Answer:
        """Ask by POST with a form, for questions too long for an address."""

    async def send(self, method: str, path: str, document: object = None) -> Answer:
        """Change something there, with `document` as JSON; tried once."""

    async def probe(self, method: str, *, most_bytes: int) -> Probed:
        """Ask the address itself, once, on a connection of its own; every status is an answer."""

    async def aclose(self) -> None:
        """Let go of the connections."""
