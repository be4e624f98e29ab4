"""Metrics from the Prometheus HTTP API; Thanos, Mimir and VictoriaMetrics speak it too.

Source: Prometheus documentation, "HTTP API", format version v1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

import httpx
import numpy as np
import orjson

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.nouns.series import Meaning, Series

TIMEOUT_S = 30.0
# A range query of 50,000 series of 500 points is below this.
LARGEST_ANSWER_BYTES = 2**30
# Prometheus refuses more points a series; asking in vain is no use.
MOST_STEPS = 11_000
_REJECTED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_LONGEST_REASON = 300

Labels = tuple[tuple[str, str], ...]
Points = tuple[list[float], list[float]]


class Describe(Protocol):
    """Tells from a metric's name and labels what it is about."""

    def __call__(self, name: str, labels: Mapping[str, str], /) -> Meaning:
        """What a metric is about and in which unit its values come."""


class PrometheusMetrics:
    """The metrics seam over HTTP. Close it when done; it holds connections.

    url: the server's base address, with its path prefix if it has one; credentials in it are
        sent as HTTP basic authentication. token: a bearer token, None for none.
    """

    def __init__(
        self,
        url: str,
        *,
        describe: Describe,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._describe = describe
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            base = httpx.URL(url.rstrip("/") + "/")
            self._where = f"{base.scheme}://{base.netloc.decode()}".replace(
                base.userinfo.decode() + "@", ""
            )
            self._client = httpx.AsyncClient(
                base_url=base, headers=headers, timeout=timeout_s, transport=transport
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise BadInput(f"{url[:200]!r} is no address of a Prometheus server.") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        """Each matching series with its one sample at `at`."""
        data = await self._ask("query", {"query": promql, "time": _unix(at)})
        return self._series(data, promql)

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Each matching series from `start` to `end`, both included, one sample a `step`."""
        seconds = step.total_seconds()
        if seconds <= 0 or end < start:
            raise BadInput(
                "A range needs a step above zero and an end that is not before its start."
            )
        if (end - start).total_seconds() / seconds > MOST_STEPS:
            raise BadInput(f"The range has more than {MOST_STEPS} steps; take a longer step.")
        asked = {"query": promql, "start": _unix(start), "end": _unix(end), "step": f"{seconds}"}
        return self._series(await self._ask("query_range", asked), promql)

    async def series(self, matcher: str, *, start: datetime, end: datetime) -> tuple[Labels, ...]:
        """The label sets (with `__name__`) of the series that match a selector in that time."""
        asked = {"match[]": matcher, "start": _unix(start), "end": _unix(end)}
        data = await self._ask("series", asked)
        if not isinstance(data, list):
            raise BadAnswer(f"{self._where} answered series with no list.")
        return tuple(sorted(_labels(one) for one in data))

    async def _ask(self, endpoint: str, asked: Mapping[str, str]) -> object:
        """The `data` of an answer; every error of the library ends here."""
        content = bytearray()
        try:
            request = self._client.stream("POST", f"api/v1/{endpoint}", data=dict(asked))
            async with request as answer:
                async for block in answer.aiter_bytes():
                    content += block
                    if len(content) > LARGEST_ANSWER_BYTES:
                        raise BadAnswer(f"{self._where} answers more than 1 GiB; ask for less.")
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{self._where} did not answer ({reason[:_LONGEST_REASON]}).",
                hint="Is the server up and its address right?",
            ) from error
        except httpx.HTTPError as error:
            raise BadAnswer(f"{self._where} answered what HTTP does not allow.") from error
        return self._data(answer.status_code, content)

    def _data(self, status: int, content: bytearray) -> object:
        told = _loaded(content)
        if status in _REJECTED and told.get("status") == "error":
            raise BadInput(f"{self._where} rejects the query: {_reason(told)}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"{self._where} failed (HTTP {status}): {_reason(told)}")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise BadInput(f"{self._where} does not let us in (HTTP {status}).")
        if told.get("status") != "success":
            raise BadAnswer(f"{self._where} answered no Prometheus JSON (HTTP {status}).")
        return told.get("data")

    def _series(self, data: object, promql: str) -> tuple[Series, ...]:
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise BadAnswer(f"{self._where} answered {promql[:100]!r} without a result.")
        kind, result = data.get("resultType"), data["result"]
        if kind == "scalar":
            result = [{"metric": {}, "value": result}]
        elif kind not in ("vector", "matrix"):
            raise BadAnswer(f"{self._where} answered a {kind!r}, which is no series.")
        return tuple(self._one(told) for told in result)

    def _one(self, told: object) -> Series:
        if not isinstance(told, dict):
            raise BadAnswer(f"{self._where} answered a series that is none.")
        labels = _labels(told.get("metric"))
        name = next((value for key, value in labels if key == "__name__"), "")
        plain = tuple(pair for pair in labels if pair[0] != "__name__")
        try:
            points = list(_points(told))
            times = np.array([at for at, _ in points], dtype=np.float64)
            values = np.array([value for _, value in points], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BadAnswer(f"{self._where} answered a sample that is none.") from error
        meaning = self._describe(name, dict(plain))
        return Series(
            name=name,
            labels=plain,
            # Only a whole recording tells whether a service has one instance or many.
            entity=meaning.part_of or meaning.entity,
            aspect=meaning.aspect,
            unit=meaning.unit,
            kind=meaning.kind,
            times_s=times,
            values=np.where(np.isinf(values), np.nan, values) * meaning.scale,
        )


def _points(told: Mapping[str, object]) -> Iterator[tuple[float, float]]:
    """Time and value of each sample; a native histogram has none."""
    values = told["values"] if "values" in told else [told["value"]] if "value" in told else []
    if not isinstance(values, list):
        raise TypeError("samples that are no list")
    for at, value in values:
        yield float(at), float(value)


def _labels(value: object) -> Labels:
    if not isinstance(value, dict):
        raise BadAnswer("The server answered a label set that is none.")
    return tuple(sorted((str(name), str(told)) for name, told in value.items()))


def _loaded(content: bytearray) -> Mapping[str, object]:
    try:
        told: object = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _reason(told: Mapping[str, object]) -> str:
    return str(told.get("error") or "no reason given")[:_LONGEST_REASON]


def _unix(at: datetime) -> str:
    if at.tzinfo is None:
        raise BadInput("A time without a zone was asked for; give it in UTC.")
    return f"{at.timestamp():.3f}"
