"""The API: webhooks in, incidents out, health and metrics, one page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from opsmith.errors import AskError
from opsmith.http import ask, chat, incidents, infer, maintenance, plans, signs, tasks
from opsmith.http.access import LARGEST_BODY, Gate
from opsmith.http.events import Bus
from opsmith.http.noted import Noted
from opsmith.http.problems import install
from opsmith.http.shapes import AlertShape, CallerShape, ChangeShape, Taken
from opsmith.http.who import Caller, insider
from opsmith.nouns.session import HOUSE
from opsmith.wiring.live import App
from opsmith.wiring.principals import Principals

PAGE: Traversable = files("opsmith.http") / "page"
SCRIPTS = ("page.js", "words.js", "parts.js", "house.js", "plans.js", "tasks.js", "asking.js")
PAGE_FILES = {
    "/": ("index.html", "text/html"),
    **{f"/{name}": (name, "text/javascript") for name in SCRIPTS},
    "/page.css": ("page.css", "text/css"),
}
INSIDERS = [Depends(insider)]
PROTOBUF = "application/x-protobuf"
# Nothing from elsewhere, no inline script; what a name contains is text, never code.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " frame-ancestors 'none'"
)


class TooLarge(AskError):
    """The body is larger than any honest one."""

    http_status = 413


def create(
    app: App, *, key: str, certified: bool = False, principals: Principals | None = None
) -> FastAPI:
    """The HTTP face of `app`. key: what callers must show; empty for this machine alone.

    certified: every caller showed a certificate before a request is read, so none need be local.
    principals: callers with keys of their own.
    """
    bus = Bus()
    app.listeners.append(bus.announce)
    app.signs.listeners.append(bus.point_at)
    app.news.tell, app.news.heard = bus.say, lambda: bus.heard

    @asynccontextmanager
    async def running(api: FastAPI) -> AsyncIterator[None]:
        del api
        async with app:
            yield

    api = FastAPI(
        title="opsmith",
        version=app.version,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        description="Alerts in; incidents with their causes out.",
    )
    api.state.hang_up = bus.hang_up
    install(api)
    # First, for routes are tried in turn, and what a prompt waits here is the gateway's own cost.
    api.include_router(infer.routes(app.inference))
    api.include_router(chat.routes(app.inference))
    _health(api, app)
    _alerts(api, app)
    _telemetry(api, app)
    _page(api)
    _caller(api, app)
    api.include_router(incidents.routes(app, bus))
    api.include_router(signs.routes(app))
    api.include_router(maintenance.routes(app))
    api.include_router(plans.routes(app))
    api.include_router(tasks.routes(app.tasks))
    api.include_router(ask.routes(app.desk))
    api.add_middleware(Noted, desk=app.desk)
    api.add_middleware(Gate, key=key, certified=certified, principals=principals)
    return api


def _health(api: FastAPI, app: App) -> None:
    @api.get("/healthz", tags=["health"])
    async def healthz() -> PlainTextResponse:
        """Answers as long as the process lives."""
        return PlainTextResponse("ok\n")

    @api.get("/readyz", tags=["health"])
    async def readyz() -> JSONResponse:
        """200 when everything that is needed answers; else 503 and what does not."""
        troubles = await app.troubles()
        return JSONResponse(
            {"ready": not troubles, "troubles": troubles}, status_code=503 if troubles else 200
        )

    @api.get("/metrics", tags=["health"], dependencies=INSIDERS)
    async def metrics() -> Response:
        """What opsmith counts about itself, for Prometheus."""
        return Response(await app.metrics_text(), media_type="text/plain; version=0.0.4")

    @api.get("/metrics/collected", tags=["health"], dependencies=INSIDERS)
    async def collected() -> Response:
        """The series that opsmith sums up from spans and log records, for Prometheus."""
        return Response(app.collection.text(), media_type="text/plain; version=0.0.4")


def _caller(api: FastAPI, app: App) -> None:
    @api.get("/v1/me", tags=["access"])
    async def me(by: Caller) -> CallerShape:
        """Who you are here, and what you may see and do."""
        return CallerShape.of(by, queue=app.tasks.in_use)


def _alerts(api: FastAPI, app: App) -> None:
    async def webhook(request: Request) -> Taken:
        """Take a notification of Alertmanager (version 4); answers once it is on the ledger."""
        return Taken(changed=await app.receive(await _body(request)))

    for path in ("/webhook/alertmanager", "/api/alerts"):
        api.post(path, tags=["alerts"], dependencies=INSIDERS)(webhook)

    @api.get("/v1/alerts", tags=["alerts"])
    async def firing(by: Caller) -> list[AlertShape]:
        """The alerts that fire now."""
        if not by.sees(HOUSE):
            return []
        return [AlertShape.of(episode) for episode in app.inbox.firing]


def _telemetry(api: FastAPI, app: App) -> None:
    @api.post("/v1/traces", tags=["telemetry"], dependencies=INSIDERS)
    async def traces(request: Request) -> Response:
        """Take spans: an OTLP/HTTP export request, protobuf or JSON, gzip or not."""
        app.take_traces(await _body(request), **_form(request))
        return _accepted(request)

    @api.post("/v1/logs", tags=["telemetry"], dependencies=INSIDERS)
    async def logs(request: Request) -> Response:
        """Take log records: an OTLP/HTTP export request, protobuf or JSON, gzip or not."""
        app.take_logs(await _body(request), **_form(request))
        return _accepted(request)

    @api.post("/v1/changes", tags=["telemetry"], status_code=201, dependencies=INSIDERS)
    async def changes(request: Request) -> ChangeShape:
        """Take a change: a deployment, a new setting, a scaling; on the ledger when answered."""
        return ChangeShape.of(await app.take_change(await _body(request)))


def _accepted(request: Request) -> Response:
    """An empty success in the form that was sent, as OTLP/HTTP asks."""
    if _form(request)["media_type"].startswith(PROTOBUF):
        return Response(b"", media_type=PROTOBUF)
    return JSONResponse({})


def _form(request: Request) -> dict[str, str]:
    headers = request.headers
    return {
        "media_type": headers.get("content-type", ""),
        "encoding": headers.get("content-encoding", ""),
    }


async def _body(request: Request) -> bytes:
    """The whole body, bounded also when its length was not announced."""
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > LARGEST_BODY:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


def _page(api: FastAPI) -> None:
    async def page(request: Request) -> Response:
        name, media_type = PAGE_FILES[request.url.path]
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        content = (PAGE / name).read_bytes()
        return Response(content, media_type=media_type, headers=headers)

    for path in PAGE_FILES:
        api.get(path, include_in_schema=False)(page)
