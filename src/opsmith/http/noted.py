"""Noted: every request that may change something stands on the ledger, with who sent it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opsmith.http.access import LOOKING
from opsmith.http.who import HTTP
from opsmith.nouns.session import Principal
from opsmith.wiring.desk import Desk

# Telemetry comes by the thousand and is no person's act; a question is a turn of its own; the
# webhooks' alerts are records themselves.
APART = ("/v1/traces", "/v1/logs", "/v1/ask", "/webhook/", "/api/alerts")


class Noted:
    """Passes a request on to `app` and notes it with its status once that is known."""

    def __init__(self, app: ASGIApp, *, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note what is neither looking nor telemetry."""
        if (
            scope["type"] != "http"
            or scope["method"] in LOOKING
            or scope["path"].startswith(APART)
        ):
            await self._app(scope, receive, send)
            return
        found = scope.get("principal")
        principal = found if isinstance(found, Principal) else HTTP

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._desk.note(
                    principal,
                    method=scope["method"],
                    path=scope["path"],
                    status=message["status"],
                )
            await send(message)

        await self._app(scope, receive, noting)
