"""Errors as problem+json (RFC 9457): what went wrong and what to do, never a traceback."""

from __future__ import annotations

import math
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from opsmith.errors import OpsmithError

MEDIA_TYPE = "application/problem+json"
# How long a sender should wait before it tries again: longer than a busy disk, shorter
# than Alertmanager gives up (it retries for as long as the group's interval).
RETRY_AFTER_S = 5


def problem(
    status: int, detail: str, *, retry_after_s: float = 0.0, **more: object
) -> JSONResponse:
    """One problem as a response; a status worth retrying says when."""
    wait_s = retry_after_s or (RETRY_AFTER_S if status == HTTPStatus.SERVICE_UNAVAILABLE else 0)
    headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else {}
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return JSONResponse(
        {**content, "detail": detail, **more},
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def install(api: FastAPI) -> None:
    """Make every error of `api` a problem."""

    @api.exception_handler(OpsmithError)
    async def ours(request: Request, error: OpsmithError) -> JSONResponse:
        del request
        return problem(error.http_status, str(error), retry_after_s=error.retry_after_s)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        wrong = [
            {"where": "/".join(map(str, one["loc"])), "what": str(one["msg"])}
            for one in error.errors()
        ]
        return problem(422, "The request is not what it must be.", errors=wrong)

    @api.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        del request
        return problem(error.status_code, str(error.detail))
