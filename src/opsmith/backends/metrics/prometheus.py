"""Metrics from the Prometheus HTTP API; Thanos, Mimir and VictoriaMetrics speak it too.

Source: Prometheus documentation, "HTTP API", format version v1.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

import numpy as np
import orjson

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.nouns.series import Meaning, Series
from opsmith.nouns.sign import AlertRule
from opsmith.seams.wire import Answer, Wire

# Prometheus refuses a range of more than 11,000 points a series (web/api/v1, "exceeded maximum
# resolution"); longer ones are asked in pieces of this many.
POINTS_AT_ONCE = 10_000
# Ten years of 5-minute samples; a longer range is a mistake in its step.
MOST_POINTS = 1_100_000
# Pieces asked at once: one is computed while another is on the wire, no server is flooded.
PIECES_AT_ONCE = 2
_REJECTED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_LONGEST_REASON = 300
# Warnings of one answer that are told; the others say the same.
_MOST_WARNINGS = 3

Labels = tuple[tuple[str, str], ...]
Hear = Callable[[str], None]


class Describe(Protocol):
    """Tells from a metric's name and labels what it is about."""

    def __call__(self, name: str, labels: Mapping[str, str], /) -> Meaning:
        """What a metric is about and in which unit its values come."""


class PrometheusMetrics:
    """The metrics seam over HTTP. Close it when done; its wire holds connections.

    hear: is told when the server says that an answer is not the whole one.
    """

    def __init__(self, wire: Wire, *, describe: Describe, hear: Hear = lambda _: None) -> None:
        self._wire = wire
        self._where = wire.where
        self._describe = describe
        self._hear = hear

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def query(self, promql: str, *, at: datetime) -> tuple[Series, ...]:
        """Each matching series with its one sample at `at`."""
        data = await self._ask("query", {"query": promql, "time": _unix(at)})
        return self._series(data, promql)

    async def query_range(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Each matching series from `start` to `end`, both included, one sample a `step`."""
        if step <= timedelta(0) or end < start:
            raise BadInput(
                "A range needs a step above zero and an end that is not before its start."
            )
        if (end - start) / step > MOST_POINTS:
            raise BadInput(f"The range has more than {MOST_POINTS} steps; take a longer step.")
        turns = asyncio.Semaphore(PIECES_AT_ONCE)

        async def piece(first: datetime, last: datetime) -> tuple[Series, ...]:
            asked = {"query": promql, "start": _unix(first), "end": _unix(last)}
            async with turns:
                told = await self._ask("query_range", {**asked, "step": f"{step.total_seconds()}"})
            return self._series(told, promql)

        pieces = pieces_of(start, end, step)
        return joined(await asyncio.gather(*(piece(*ends) for ends in pieces)))

    async def series(self, matcher: str, *, start: datetime, end: datetime) -> tuple[Labels, ...]:
        """The label sets (with `__name__`) of the series that match a selector in that time."""
        asked = {"match[]": matcher, "start": _unix(start), "end": _unix(end)}
        data = await self._ask("series", asked)
        if not isinstance(data, list):
            raise BadAnswer(f"{self._where} answered series with no list.")
        return tuple(sorted(_labels(one) for one in data))

    async def rules(self) -> tuple[AlertRule, ...]:
        """The alerting rules of the server; none where it does not know the question."""
        answer = await self._wire.get("api/v1/rules", (("type", "alert"),))
        told = _loaded(answer)
        data = told.get("data")
        if answer.status == HTTPStatus.NOT_FOUND:
            return ()
        if told.get("status") != "success" or not isinstance(data, dict):
            raise BadAnswer(f"{self._where} answered rules with no rules (HTTP {answer.status}).")
        return tuple(_rules(data.get("groups")))

    async def _ask(self, endpoint: str, asked: Mapping[str, str]) -> object:
        """The `data` of an answer; what it lacks by the server's own account is told."""
        answer = await self._wire.post(f"api/v1/{endpoint}", tuple(asked.items()))
        told = _loaded(answer)
        if answer.status in _REJECTED and told.get("status") == "error":
            raise BadInput(f"{self._where} rejects the query: {_reason(told)}")
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unreachable(f"{self._where} failed (HTTP {answer.status}): {_reason(told)}")
        if told.get("status") != "success":
            raise BadAnswer(f"{self._where} answered no Prometheus JSON (HTTP {answer.status}).")
        for lack in _lacks(told):
            self._hear(f"{self._where} answered {endpoint} in part: {lack}")
        return told.get("data")

    def _series(self, data: object, promql: str) -> tuple[Series, ...]:
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise BadAnswer(f"{self._where} answered {promql[:100]!r} without a result.")
        kind, result = data.get("resultType"), data["result"]
        if kind == "scalar":
            result = [{"metric": {}, "value": result}]
        elif kind not in ("vector", "matrix"):
            raise BadAnswer(f"{self._where} answered a {kind!r}, which is no series.")
        return tuple(self._one(told) for told in _taken(result))

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


def _taken(told: list[object]) -> Iterator[object]:
    """Each of a list, which lets go of it: as numbers of Python samples take ten times as much."""
    told.reverse()
    while told:
        yield told.pop()


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


def pieces_of(
    start: datetime, end: datetime, step: timedelta
) -> tuple[tuple[datetime, datetime], ...]:
    """The range in pieces that a server answers, on one grid, no point twice."""
    points = math.floor((end - start) / step + 1e-9) + 1
    return tuple(
        (
            start + first * step,
            end
            if first + POINTS_AT_ONCE >= points
            else start + (first + POINTS_AT_ONCE - 1) * step,
        )
        for first in range(0, points, POINTS_AT_ONCE)
    )


def joined(pieces: Sequence[tuple[Series, ...]]) -> tuple[Series, ...]:
    """The series of all pieces, each whole, in the order in which they were first seen."""
    if len(pieces) == 1:
        return pieces[0]
    found: dict[tuple[str, Labels], list[Series]] = {}
    for series in pieces:
        for one in series:
            found.setdefault((one.name, one.labels), []).append(one)
    return tuple(
        replace(
            parts[0],
            times_s=np.concatenate([one.times_s for one in parts]),
            values=np.concatenate([one.values for one in parts]),
        )
        for parts in found.values()
    )


def _rules(groups: object) -> Iterator[AlertRule]:
    """The alerting rules of all groups; what is none is passed over."""
    for group in groups if isinstance(groups, list) else ():
        rules = group.get("rules") if isinstance(group, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict) and rule.get("type") == "alerting":
                yield AlertRule(name=str(rule.get("name")), promql=str(rule.get("query")))


def _lacks(told: Mapping[str, object]) -> Iterator[str]:
    """What the server says is missing: Thanos by warnings, VictoriaMetrics by a flag."""
    if told.get("isPartial") is True:
        yield "some of its storage did not answer."
    warnings = told.get("warnings")
    for warning in warnings[:_MOST_WARNINGS] if isinstance(warnings, list) else ():
        yield str(warning)[:_LONGEST_REASON]


def _loaded(answer: Answer) -> Mapping[str, object]:
    try:
        told: object = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _reason(told: Mapping[str, object]) -> str:
    return str(told.get("error") or "no reason given")[:_LONGEST_REASON]


def _unix(at: datetime) -> str:
    if at.tzinfo is None:
        raise BadInput("A time without a zone was asked for; give it in UTC.")
    return f"{at.timestamp():.3f}"
