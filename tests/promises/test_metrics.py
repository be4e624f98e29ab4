"""Every backend of the metrics seam keeps every promise."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.backends.metrics.several import SeveralMetrics
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadInput, Unreachable
from opsmith.ingest.label_rules import describe
from opsmith.ingest.tables import read_series
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics
from opsmith.seams.wire import Access
from opsmith.testing.metrics import (
    BEGIN,
    CHECKS,
    RECORDING,
    check_a_selector_that_fits_everything_is_refused,
)
from tests.promises.real_prometheus import real, victoria

Opener = Callable[[Path], AbstractAsyncContextManager[Metrics]]


def recording(folder: Path) -> RecordedMetrics:
    path = folder / "metrics.om"
    path.write_text(RECORDING, encoding="utf-8")
    return RecordedMetrics(read_series(path))


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Metrics]:
    yield recording(folder)


@asynccontextmanager
async def several(folder: Path) -> AsyncIterator[Metrics]:
    """Two servers: one holds all, the other is gone; nothing is lost or doubled."""

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    heard: list[str] = []
    access = Access(url="http://prometheus", retries=0)
    whole = httpx.MockTransport(answering(recording(folder)))
    servers = {
        name: PrometheusMetrics(HttpWire(access, transport=transport), describe=describe)
        for name, transport in (("a", whole), ("b", whole), ("c", httpx.MockTransport(gone)))
    }
    metrics = SeveralMetrics(servers, hear=heard.append)
    yield metrics
    await metrics.aclose()
    assert all(lack.startswith("c: http://prometheus did not answer") for lack in heard)


@asynccontextmanager
async def over_http(folder: Path) -> AsyncIterator[Metrics]:
    """The client against the documented JSON, answered in this process, without a socket."""
    transport = httpx.MockTransport(answering(recording(folder)))
    wire = HttpWire(Access(url="http://prometheus"), transport=transport)
    metrics = PrometheusMetrics(wire, describe=describe)
    yield metrics
    await metrics.aclose()


def row(series: Series) -> dict[str, object]:
    points = [
        [at, f"{value}"]
        for at, value in zip(series.times_s.tolist(), series.values.tolist(), strict=True)
    ]
    return {"metric": {"__name__": series.name, **dict(series.labels)}, "values": points}


def instant(query: str, series: Sequence[Series]) -> object:
    rows = [row(one) for one in series]
    if query.endswith("]"):
        return {"resultType": "matrix", "result": rows}
    vector = [{"metric": one["metric"], "value": one["values"][0]} for one in rows]
    return {"resultType": "vector", "result": vector}


def answering(
    store: RecordedMetrics,
) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    from datetime import UTC, datetime, timedelta

    def time(told: str) -> datetime:
        return datetime.fromtimestamp(float(told), tz=UTC)

    async def data(request: httpx.Request) -> object:
        asked = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        endpoint = request.url.path.removeprefix("/api/v1/")
        if endpoint == "series":
            start, end = time(asked["start"]), time(asked["end"])
            found = await store.series(asked["match[]"], start=start, end=end)
            return [dict(labels) for labels in found]
        if endpoint == "rules":
            return {"groups": []}
        query = asked.get("query", "")
        if endpoint == "query":
            return instant(query, await store.query(query, at=time(asked["time"])))
        series = await store.query_range(
            query,
            start=time(asked["start"]),
            end=time(asked["end"]),
            step=timedelta(seconds=float(asked["step"])),
        )
        return {"resultType": "matrix", "result": [row(one) for one in series]}

    async def answer(request: httpx.Request) -> httpx.Response:
        try:
            told = {"status": "success", "data": await data(request)}
        except BadInput as error:
            refusal = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return httpx.Response(400, content=orjson.dumps(refusal))
        return httpx.Response(200, content=orjson.dumps(told))

    return answer


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "opener", [recorded, over_http, several], ids=["recorded", "http", "several"]
)
async def test_a_backend_keeps_the_promise(
    tmp_path: Path, opener: Opener, check: Callable[[Metrics], Awaitable[None]]
) -> None:
    async with opener(tmp_path) as metrics:
        await check(metrics)


@pytest.mark.needs_prometheus
@pytest.mark.slow
async def test_a_real_prometheus_keeps_all_promises(tmp_path: Path) -> None:
    async with real(tmp_path) as metrics:
        for check in CHECKS:
            await check(metrics)


@pytest.mark.needs_prometheus
@pytest.mark.slow
async def test_a_real_victoria_metrics_keeps_all_promises(tmp_path: Path) -> None:
    # It answers a selector that fits every series, which Prometheus refuses to.
    answered = {check_a_selector_that_fits_everything_is_refused}
    async with victoria(tmp_path) as metrics:
        for check in set(CHECKS) - answered:
            await check(metrics)


async def test_without_any_answer_several_servers_are_unreachable() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    wire = HttpWire(Access(url="http://p", retries=0), transport=httpx.MockTransport(gone))
    one = PrometheusMetrics(wire, describe=describe)

    with pytest.raises(Unreachable, match="No metrics server answered"):
        await SeveralMetrics({"a": one, "b": one}, hear=print).query("up", at=BEGIN)
