"""The Prometheus backend: answers that are wrong, servers that are gone, nothing of httpx."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from opsmith.backends.metrics import prometheus
from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.errors import BadAnswer, BadInput, OpsmithError, Unreachable
from opsmith.ingest.label_rules import describe
from opsmith.nouns.series import Unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answering(status: int, content: object, *, url: str = "http://p") -> PrometheusMetrics:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    return PrometheusMetrics(url, describe=describe, transport=transport)


def vector(*rows: object, kind: str = "vector") -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": list(rows)}}


def library_errors() -> Iterator[type[Exception]]:
    """Every error that httpx says a request may raise."""
    waiting: list[type[Exception]] = [httpx.HTTPError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        yield error
    yield httpx.InvalidURL


@pytest.mark.parametrize("error", sorted(set(library_errors()), key=str), ids=lambda e: e.__name__)
async def test_no_error_of_the_library_escapes(error: type[Exception]) -> None:
    def failing(request: httpx.Request) -> httpx.Response:
        if error is httpx.HTTPStatusError:
            raise httpx.HTTPStatusError("odd", request=request, response=httpx.Response(500))
        raise error("odd")

    transport = httpx.MockTransport(failing)
    metrics = PrometheusMetrics("http://p", describe=describe, transport=transport)

    with pytest.raises((Unreachable, BadAnswer)):
        await metrics.query("up", at=NOW)


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (400, {"status": "error", "error": "parse error"}, BadInput),
        (422, {"status": "error", "error": "too many samples"}, BadInput),
        (400, b"<html>", BadAnswer),
        (401, b"", BadInput),
        (403, b"", BadInput),
        (404, b"", BadAnswer),
        (500, b"", Unreachable),
        (503, {"status": "error", "error": "starting"}, Unreachable),
        (200, b"<html>", BadAnswer),
        (200, b"[1]", BadAnswer),
        (200, {"status": "success"}, BadAnswer),
        (200, {"status": "success", "data": {"resultType": "vector"}}, BadAnswer),
        (200, vector(kind="string"), BadAnswer),
        (200, vector(7), BadAnswer),
        (200, vector({"metric": 7, "value": [1, "1"]}), BadAnswer),
        (200, vector({"metric": {}, "value": [1, "x"]}), BadAnswer),
        (200, vector({"metric": {}, "value": [1]}), BadAnswer),
        (200, vector({"metric": {}, "values": 7}), BadAnswer),
    ],
)
async def test_a_wrong_answer_is_told_for_what_it_is(
    status: int, content: object, error: type[OpsmithError]
) -> None:
    with pytest.raises(error):
        await answering(status, content).query("up", at=NOW)


async def test_a_list_of_series_that_is_none_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        await answering(200, {"status": "success", "data": {}}).series("up", start=NOW, end=NOW)


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "LARGEST_ANSWER_BYTES", 100)

    with pytest.raises(BadAnswer, match="ask for less"):
        await answering(200, b"x" * 1000).query("up", at=NOW)


async def test_values_come_in_our_units_and_infinities_as_gaps() -> None:
    rows = [
        {"metric": {"__name__": "lag_ms", "service": "a", "instance": "b"}, "value": [5, "250"]},
        {"metric": {"__name__": "lag_ms", "service": "b"}, "value": [5, "+Inf"]},
        {"metric": {"__name__": "h"}, "histogram": [5, {"count": "1"}]},
    ]

    slow, endless, native = await answering(200, vector(*rows)).query("lag_ms", at=NOW)

    assert (slow.values.tolist(), slow.unit, str(slow.entity)) == (
        [0.25],
        Unit.SECONDS,
        "service:a",
    )
    assert str(endless.values[0]) == "nan"
    assert native.values.size == 0


async def test_a_scalar_is_one_series_without_a_name() -> None:
    told = {"status": "success", "data": {"resultType": "scalar", "result": [5, "7"]}}

    (series,) = await answering(200, told).query("7", at=NOW)

    assert (series.key, series.values.tolist()) == ("", [7.0])


async def test_credentials_are_sent_and_never_told() -> None:
    seen: list[httpx.Request] = []

    def failing(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise httpx.ConnectError("refused")

    transport = httpx.MockTransport(failing)
    metrics = PrometheusMetrics(
        "http://ann:hunter2@p:9/x/", describe=describe, transport=transport
    )

    with pytest.raises(Unreachable) as caught:
        await metrics.query("up", at=NOW)

    assert "http://p:9 did not answer" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert seen[0].url.path == "/x/api/v1/query"
    assert seen[0].headers["authorization"].startswith("Basic ")


async def test_a_token_is_sent_and_connections_are_closed() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=orjson.dumps(vector()))

    word = "t1"
    metrics = PrometheusMetrics(
        "http://p", describe=describe, token=word, transport=httpx.MockTransport(answer)
    )

    assert await metrics.query("up", at=NOW) == ()
    await metrics.aclose()

    assert seen[0].headers["authorization"] == "Bearer t1"


@pytest.mark.parametrize("url", ["http://[::1", "http://p:port", "ftp\x00://p"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        PrometheusMetrics(url, describe=describe)
