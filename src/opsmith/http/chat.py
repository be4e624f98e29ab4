"""POST /v1/chat/completions and GET /v1/models: opsmith as the gateway of OpenAI's clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from http import HTTPStatus

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from opsmith.errors import BadAnswer, NotFound, OpsmithError, Overloaded, TooMany
from opsmith.http.chat_shapes import DEFAULT, ChatShape
from opsmith.http.problems import problem
from opsmith.http.streaming import EVENTS, opening, resumed, unless_left
from opsmith.http.who import who
from opsmith.wiring.chat import ChatForm
from opsmith.wiring.llm import Inference, Told

_SERVER_FAULT = 500
_CODES: tuple[tuple[type[OpsmithError], str], ...] = (
    (NotFound, "model_not_found"),
    (TooMany, "rate_limit_exceeded"),
    (Overloaded, "overloaded"),
)


class OpenAiRoute(APIRoute):
    """A route whose errors say the same twice: as a problem, and as `error` in OpenAI's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """What answers, with errors translated."""
        plain = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await plain(request)
            except RequestValidationError as error:
                return _invalid(error)
            except HTTPException as error:
                return _refusal(error.status_code, str(error.detail))
            except OpsmithError as error:
                return _failure(error)

        return answer


def routes(inference: Inference) -> APIRouter:
    """The routes that OpenAI's clients know."""
    router = APIRouter(prefix="/v1", tags=["model"], route_class=OpenAiRoute)

    @router.post("/chat/completions")
    async def completions(shape: ChatShape, request: Request) -> Response:
        """Answer as OpenAI's API does, by the configured model; the gateway is that of /v1/infer.

        Deadline, turns, breaker, redaction and the enforced schema are the same. `model` is a
        name of /v1/models, or `default`. Tools, images, several answers and logprobs are refused
        with 400. A stream that fails says so in a last `error`.
        """
        asked, principal = shape.asked(), who(request)
        form = ChatForm(shape.model, usage=shape.stream_options.include_usage)
        if shape.stream:
            told = inference.events(asked, principal=principal)
            first = await unless_left(request, opening(told))
            return StreamingResponse(_written(resumed(first, told), form), media_type=EVENTS)
        answer = inference.infer(asked, principal=principal)
        return JSONResponse(form.whole(await unless_left(request, answer)))

    @router.get("/models")
    async def models() -> dict[str, object]:
        """The models of the backend, and `default` for the configured one."""
        names = dict.fromkeys([DEFAULT, *await inference.models()])
        return {"object": "list", "data": [_card(name) for name in names]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, object]:
        """One model. 404 when there is none of that name."""
        if name != DEFAULT and name not in await inference.models():
            raise NotFound(f"There is no model {name[:200]!r}; see /v1/models.")
        return _card(name)

    return router


async def _written(told: AsyncGenerator[Told, None], form: ChatForm) -> AsyncIterator[bytes]:
    async with aclosing(told):
        try:
            async for one in told:
                for chunk in form.chunks(one):
                    yield _data(chunk)
        except OpsmithError as error:
            yield _data({"error": _error(_status(error), str(error), code=_code(error))})
            return
    yield b"data: [DONE]\n\n"


def _data(body: object) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(body)


def _card(name: str) -> dict[str, object]:
    """A model in OpenAI's form; when it was made nobody says."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "opsmith"}


def _status(error: OpsmithError) -> int:
    """OpenAI's clients know 400 for what is wrong with a request, not 422."""
    wrong = error.http_status == HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.BAD_REQUEST if wrong else error.http_status


def _code(error: OpsmithError) -> str | None:
    return next((code for kind, code in _CODES if isinstance(error, kind)), None)


def _failure(error: OpsmithError) -> Response:
    """An error of the house; one that a second try would not mend says so to OpenAI's clients."""
    status, wait_s = _status(error), error.retry_after_s
    response = _refusal(status, str(error), code=_code(error), retry_after_s=wait_s)
    if isinstance(error, BadAnswer) or not error.worth_retrying:
        response.headers["x-should-retry"] = "false"  # else they try any 5xx twice more
    return response


def _invalid(error: RequestValidationError) -> Response:
    """400 with the first fault, by the name of its field."""
    first = error.errors()[0]
    path = () if first["type"] == "json_invalid" else first["loc"][1:]
    # What is refused before its field is read is named by the error itself.
    named = first.get("ctx", {}).get("name")
    param = ".".join(map(str, [*path, *([named] if named else [])]))
    known = {"unsupported": "unsupported_parameter", "extra_forbidden": "unknown_parameter"}
    said = f"{param}: {first['msg']}" if param else str(first["msg"])
    code = known.get(str(first["type"]), "invalid_value")
    return _refusal(HTTPStatus.BAD_REQUEST, f"{said}.", param=param or None, code=code)


def _refusal(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    retry_after_s: float = 0.0,
) -> Response:
    error = _error(status, message, param=param, code=code)
    return problem(status, message, retry_after_s=retry_after_s, error=error)


def _error(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> dict[str, object]:
    kind = "server_error" if status >= _SERVER_FAULT else "invalid_request_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    return {"message": message, "type": kind, "param": param, "code": code}
