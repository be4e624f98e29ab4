"""Loki's query API on a loopback port, as far as its documentation says and opsmith asks it.

No Loki is to be had as a package, so this stands in for one over the wire: streams, label
matchers `=`, `!=`, `=~`, a line filter `|~`, limits, both directions, a tenant and a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

Stream = dict[str, str]
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(,|\})')
_FILTER = re.compile(r'\s*\|~\s*("(?:[^"\\]|\\.)*")\s*$')
MOST_ENTRIES = 5_000


class Loki:
    """Streams of (nanoseconds, line); asked by HTTP."""

    def __init__(self, *, tenant: str = "", authorization: str = "") -> None:
        self.entries: list[tuple[int, Stream, str]] = []
        self.asked: list[dict[str, str]] = []
        self.failing = 0
        self._tenant = tenant
        self._authorization = authorization

    def push(self, nanos: int, stream: Mapping[str, str], line: str) -> None:
        self.entries.append((nanos, dict(stream), line))

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._authorization and headers.get("Authorization") != self._authorization:
            return 401, b"Unauthorized"
        if self._tenant and headers.get("X-Scope-OrgID") != self._tenant:
            return 401, b"no org id"
        if self.failing:
            self.failing -= 1
            return 503, b"too many outstanding requests"
        parts = urlsplit(path)
        if parts.path != "/loki/api/v1/query_range":
            return 404, b"404 page not found"
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.asked.append(asked)
        return self._query(asked)

    def _query(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        read = _parsed(asked["query"])
        if read is None:
            return 400, b"parse error at line 1, col 2: syntax error"
        limit, backward = int(asked["limit"]), asked["direction"] == "backward"
        if limit > MOST_ENTRIES:
            return 400, b"max entries limit per query exceeded"
        start, end = int(asked["start"]), int(asked["end"])
        chosen = [
            entry
            for entry in sorted(self.entries, key=lambda one: one[0], reverse=backward)
            if start <= entry[0] < end and _fits(entry[1], entry[2], *read)
        ][:limit]
        streams: dict[str, list[list[str]]] = {}
        for nanos, stream, line in chosen:
            streams.setdefault(json.dumps(stream), []).append([str(nanos), line])
        result = [{"stream": json.loads(key), "values": rows} for key, rows in streams.items()]
        told = {"status": "success", "data": {"resultType": "streams", "result": result}}
        return 200, json.dumps(told).encode()


Matchers = list[tuple[str, str, str]]


def _parsed(query: str) -> tuple[Matchers, str] | None:
    if not query.startswith("{"):
        return None
    matchers, place = [], 1
    while found := _MATCHER.match(query, place):
        matchers.append((found[1], found[2], json.loads(found[3])))
        place = found.end()
        if found[4] == "}":
            break
    else:
        return None
    rest = query[place:].strip()
    wanted = _FILTER.match(rest) if rest else None
    if rest and wanted is None:
        return None
    # As Loki has it: one matcher at least must not fit the empty value.
    telling = [value for _, operator, value in matchers if operator != "!=" and value != ".*"]
    if not any(telling):
        return None
    return matchers, json.loads(wanted[1]) if wanted else ""


def _fits(stream: Stream, line: str, matchers: Matchers, wanted: str) -> bool:
    for label, operator, value in matchers:
        told = stream.get(label, "")
        same = re.fullmatch(value, told) is not None if "~" in operator else told == value
        if same is (operator == "!="):
            return False
    return re.search(wanted, line) is not None
