"""How a service serves: one span, one log line and one observation for every request."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind, StatusCode
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opsmith_lab.shop.errors import Failed, Unavailable
from opsmith_lab.shop.process import ShopProcess

# What proxies write when the client left before it was answered.
CLIENT_GONE = 499

Endpoint = Callable[[ShopProcess, Request], Awaitable[dict[str, object]]]


def application(process: ShopProcess, table: list[tuple[str, str, Endpoint]]) -> Starlette:
    """The service's own routes, beside `/metrics` and `/healthz`, which leave no trace."""

    async def metrics(request: Request) -> Response:
        del request
        return Response(generate_latest(process.meters.registry), media_type="text/plain")

    async def healthz(request: Request) -> Response:
        del request
        return JSONResponse({"service": process.name, "version": process.version})

    routes = [
        Route(path, _traced(process, method, path.replace(":int", ""), endpoint), methods=[method])
        for method, path, endpoint in table
    ]
    return Starlette(routes=[*routes, Route("/metrics", metrics), Route("/healthz", healthz)])


def _traced(
    process: ShopProcess, method: str, route: str, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    meters = process.meters

    async def serve(request: Request) -> Response:
        started = time.perf_counter()
        meters.active.inc()
        with process.tracer.start_as_current_span(
            f"{method} {route}",
            context=propagate.extract(dict(request.headers)),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "http.route": route,
                "url.path": request.url.path,
                "server.address": process.name,
            },
        ) as span:
            status, body = await _answer(process, request, endpoint, span)
            span.set_attribute("http.response.status_code", status)
        meters.active.dec()
        meters.requests.labels(method, route, str(status)).observe(time.perf_counter() - started)
        return JSONResponse(body, status_code=status)

    return serve


async def _answer(
    process: ShopProcess, request: Request, endpoint: Endpoint, span: Span
) -> tuple[int, dict[str, object]]:
    """The status and body; an accident becomes a 5xx with a log line, as users would see it."""
    try:
        for step in process.before:
            step()
        return 200, await endpoint(process, request)
    except ClientDisconnect:
        # Nobody is there to be answered; it is the way here that failed, not this service.
        return CLIENT_GONE, {}
    except Unavailable as error:
        process.log.error("%s %s: %s", request.method, request.url.path, error)  # noqa: TRY400
        status = 503
        reason = str(error)
    except Failed as error:
        process.log.error("%s %s: %s", request.method, request.url.path, error)  # noqa: TRY400
        status = 502
        reason = str(error)
    except Exception as error:
        process.log.exception("unhandled %s in %s", type(error).__name__, request.url.path)
        span.record_exception(error)
        status = 500
        reason = f"{type(error).__name__}: {error}"
    span.set_status(StatusCode.ERROR, reason)
    return status, {"error": reason}
