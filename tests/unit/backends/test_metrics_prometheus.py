"""The Prometheus backend: answers that are wrong, servers that are gone, nothing of httpx."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from opsmith.backends.metrics.prometheus import POINTS_AT_ONCE, PrometheusMetrics, pieces_of
from opsmith.backends.wire.http import HttpWire
from opsmith.errors import BadAnswer, BadInput, OpsmithError, Unreachable
from opsmith.ingest.label_rules import describe
from opsmith.nouns.series import Unit
from opsmith.seams.wire import Access

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answering(
    status: int, content: object, *, hear: Callable[[str], None] = lambda _: None
) -> PrometheusMetrics:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    return over(transport, hear=hear)


def over(
    transport: httpx.MockTransport, *, hear: Callable[[str], None] = lambda _: None
) -> PrometheusMetrics:
    wire = HttpWire(Access(url="http://p", retries=0), transport=transport)
    return PrometheusMetrics(wire, describe=describe, hear=hear)


def vector(*rows: object, kind: str = "vector") -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": list(rows)}}


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


async def test_a_long_range_is_asked_in_pieces_and_comes_as_one() -> None:
    asked: list[tuple[float, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        told = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        start, end, step = (float(told[key]) for key in ("start", "end", "step"))
        asked.append((start, end))
        points = [[start + n * step, "1"] for n in range(int((end - start) / step) + 1)]
        row = {"metric": {"__name__": "a", "service": "b"}, "values": points}
        return httpx.Response(200, content=orjson.dumps(vector(row, kind="matrix")))

    end = NOW + timedelta(seconds=25_000)
    (series,) = await over(httpx.MockTransport(answer)).query_range(
        "a", start=NOW, end=end, step=timedelta(seconds=1)
    )

    assert len(asked) == 3
    assert max(last - first for first, last in asked) < POINTS_AT_ONCE
    assert series.times_s.tolist() == [NOW.timestamp() + n for n in range(25_001)]


def test_pieces_lie_on_the_grid_of_the_whole_and_end_where_it_ends() -> None:
    step = timedelta(seconds=0.1)
    pieces = pieces_of(NOW, NOW + 20_000 * step + step / 2, step)

    assert [first for first, _ in pieces] == [NOW + n * 10_000 * step for n in range(3)]
    assert pieces[-1][1] == NOW + 20_000 * step + step / 2
    assert pieces_of(NOW, NOW, step) == ((NOW, NOW),)


async def test_a_range_that_cannot_be_meant_is_refused_before_anyone_is_asked() -> None:
    metrics = answering(200, vector(kind="matrix"))

    for end, step in ((NOW, timedelta(0)), (NOW - timedelta(1), timedelta(1))):
        with pytest.raises(BadInput, match="above zero"):
            await metrics.query_range("a", start=NOW, end=end, step=step)
    with pytest.raises(BadInput, match="longer step"):
        await metrics.query_range(
            "a", start=NOW, end=NOW + timedelta(days=5000), step=timedelta(seconds=1)
        )


@pytest.mark.parametrize(
    "lack",
    [{"warnings": ["store eu-2 did not answer"]}, {"isPartial": True}],
    ids=["thanos", "vm"],
)
async def test_an_answer_in_part_is_said_aloud(lack: dict[str, object]) -> None:
    heard: list[str] = []

    await answering(200, {**vector(), **lack}, hear=heard.append).query("up", at=NOW)

    assert len(heard) == 1
    assert heard[0].startswith("http://p answered query in part: ")
