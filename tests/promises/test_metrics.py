"""Every backend of the metrics seam keeps every promise."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.backends.metrics.recorded import RecordedMetrics
from opsmith.errors import BadInput
from opsmith.ingest.label_rules import describe
from opsmith.ingest.tables import read_series
from opsmith.nouns.series import Series
from opsmith.seams.metrics import Metrics
from opsmith.testing.metrics import CHECKS, RECORDING
from tests.promises.real_prometheus import real

Opener = Callable[[Path], AbstractAsyncContextManager[Metrics]]


def recording(folder: Path) -> RecordedMetrics:
    path = folder / "metrics.om"
    path.write_text(RECORDING, encoding="utf-8")
    return RecordedMetrics(read_series(path))


@asynccontextmanager
async def recorded(folder: Path) -> AsyncIterator[Metrics]:
    yield recording(folder)


@asynccontextmanager
async def over_http(folder: Path) -> AsyncIterator[Metrics]:
    """The client against the documented JSON, answered in this process, without a socket."""
    transport = httpx.MockTransport(answering(recording(folder)))
    metrics = PrometheusMetrics("http://prometheus", describe=describe, transport=transport)
    yield metrics
    await metrics.aclose()


def answering(
    store: RecordedMetrics,
) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    from datetime import UTC, datetime, timedelta

    def time(told: str) -> datetime:
        return datetime.fromtimestamp(float(told), tz=UTC)

    def row(series: Series) -> dict[str, object]:
        points = [
            [at, f"{value}"]
            for at, value in zip(series.times_s.tolist(), series.values.tolist(), strict=True)
        ]
        return {"metric": {"__name__": series.name, **dict(series.labels)}, "values": points}

    async def data(request: httpx.Request) -> object:
        asked = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        endpoint = request.url.path.removeprefix("/api/v1/")
        if endpoint == "series":
            start, end = time(asked["start"]), time(asked["end"])
            found = await store.series(asked["match[]"], start=start, end=end)
            return [dict(labels) for labels in found]
        query = asked.get("query", "")
        if endpoint == "query":
            series = await store.query(query, at=time(asked["time"]))
            rows = [row(one) for one in series]
            vector = [{"metric": one["metric"], "value": one["values"][0]} for one in rows]
            return {"resultType": "vector", "result": vector}
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
@pytest.mark.parametrize("opener", [recorded, over_http], ids=["recorded", "http"])
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
