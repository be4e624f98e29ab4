"""The series selector of PromQL: `name{a="b", c!="d", e=~"f.*", g!~"h"}`, and no more of it.

Source: Prometheus documentation, "Querying basics", time series selectors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from opsmith.errors import BadInput

LONGEST_SELECTOR = 4096
MOST_MATCHERS = 64

_NAME = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*")
_MATCHER = re.compile(
    r"\s*(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|\"(?P<quoted>(?:[^\"\\]|\\.)*)\")\s*"
    r"(?P<operator>=~|!~|!=|=)\s*"
    r"(?:\"(?P<double>(?:[^\"\\\n]|\\.)*)\"|'(?P<single>(?:[^'\\\n]|\\.)*)'|`(?P<raw>[^`]*)`)\s*"
)
_RANGE = re.compile(r"(.*[^\s])\s*\[(\d+)(ms|[smhdw])\]\s*", re.DOTALL)
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SIGNS = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on one label; an absent label is the empty value."""

    label: str
    operator: str
    value: str

    def accepts(self, values: Sequence[str]) -> Mapping[str, bool]:
        """Which of the values fit. Raises `BadInput` for a bad regular expression."""
        wanted = not self.operator.startswith("!")
        if "~" not in self.operator:
            return {value: (value == self.value) is wanted for value in values}
        return {value: found is wanted for value, found in _matched(self.value, values)}


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers of a selector, that of the metric's name (`__name__`) first.

    Raises `BadInput` when it is no selector, or one that fits every series.
    """
    if len(text) > LONGEST_SELECTOR:
        raise BadInput(f"A selector has at most {LONGEST_SELECTOR} characters.")
    head = _NAME.match(text)
    name = (head[1] or "") if head else ""
    rest = text[head.end() :] if head else text
    matchers = [Matcher(label="__name__", operator="=", value=name)] if name else []
    if rest:
        matchers.extend(_inside(rest, text))
    if not any(not matcher.accepts([""])[""] for matcher in matchers):
        raise BadInput(f"{text[:100]!r} fits every series; name a metric or a label's value.")
    return tuple(matchers)


def ranged(text: str) -> tuple[str, float] | None:
    """A range selector's plain one and its seconds; None when it is no range selector.

    >>> ranged("up[5m]")
    ('up', 300.0)
    """
    found = _RANGE.fullmatch(text)
    return (found[1], float(found[2]) * _SECONDS[found[3]]) if found else None


def chosen(
    matchers: Sequence[Matcher], label_sets: Sequence[Mapping[str, str]]
) -> tuple[int, ...]:
    """The numbers of the label sets that fit all matchers."""
    left = list(range(len(label_sets)))
    for matcher in matchers:
        values = {number: label_sets[number].get(matcher.label, "") for number in left}
        fits = matcher.accepts(sorted(set(values.values())))
        left = [number for number in left if fits[values[number]]]
    return tuple(left)


def _inside(rest: str, text: str) -> list[Matcher]:
    """The matchers between the braces."""
    if not (rest.startswith("{") and rest.rstrip().endswith("}")):
        raise _refused(text)
    inside, found, end = rest.rstrip()[1:-1], list[Matcher](), 0
    while inside[end:].strip():
        matched = _MATCHER.match(inside, end)
        if matched is None or len(found) == MOST_MATCHERS:
            raise _refused(text)
        found.append(_matcher(matched))
        end = matched.end()
        if end < len(inside):
            if inside[end] != ",":
                raise _refused(text)
            end += 1
    return found


def _matcher(matched: re.Match[str]) -> Matcher:
    quoted = matched["double"] if matched["double"] is not None else matched["single"]
    return Matcher(
        label=matched["name"] or _unescaped(matched["quoted"]),
        operator=matched["operator"],
        value=_unescaped(quoted) if quoted is not None else matched["raw"],
    )


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _SIGNS.get(found[1], found[1]), text)


def _matched(pattern: str, values: Sequence[str]) -> list[tuple[str, bool]]:
    """RE2, as Prometheus itself uses: its time is linear, whatever the pattern."""
    with duckdb.connect(":memory:") as connection:
        try:
            return [
                (str(value), bool(found))
                for value, found in connection.execute(
                    "SELECT value, regexp_full_match(value, ?, 's')"
                    " FROM (SELECT unnest(?::VARCHAR[]) AS value)",
                    [pattern, list(values)],
                ).fetchall()
            ]
        except duckdb.Error as error:
            reason = str(error).splitlines()[0][:200]
            raise BadInput(f"{pattern[:100]!r} is no regular expression ({reason}).") from error


def _refused(text: str) -> BadInput:
    return BadInput(
        f"{text[:100]!r} is not a series selector.",
        hint='Recorded files answer selectors such as http_requests_total{service="cart"} only;'
        " for all of PromQL give the address of a Prometheus server.",
    )
