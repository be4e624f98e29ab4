"""PromQL as it is written -> a tree; the part of it that recorded files answer.

Selectors with ranges and offsets, arithmetic, comparison and set operators, aggregation, rates,
`*_over_time`, `histogram_quantile`. Subqueries, `@`, and joins with `group_left` are refused.
Source: Prometheus documentation, "Querying basics", "Operators", "Query functions".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from opsmith.backends.metrics import selector
from opsmith.errors import BadInput

LONGEST_EXPRESSION = 8192
DEEPEST = 40

AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count", "group"})
RANGE_FUNCTIONS = frozenset(
    ["rate", "irate", "increase", "delta"]
    + [f"{name}_over_time" for name in ("avg", "min", "max", "sum", "count", "last")]
)
FUNCTIONS = RANGE_FUNCTIONS | {
    "histogram_quantile",
    "clamp_min",
    "clamp_max",
    "abs",
    "vector",
    "time",
}
# Loosest first. Source: Prometheus documentation, "Binary operator precedence".
PRECEDENCE: tuple[frozenset[str], ...] = (
    frozenset({"or"}),
    frozenset({"and", "unless"}),
    frozenset({"==", "!=", ">", "<", ">=", "<="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<duration>\[\s*(?:\d+(?:ms|[smhdwy]))+\s*\])"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![a-zA-Z_:0-9.]))"
    r"|(?P<span>(?:\d+(?:ms|[smhdwy]))+)"
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<braces>\{(?:[^{}\"'`]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})"
    r"|(?P<sign>==|!=|>=|<=|[-+*/%(),<>])",
    re.DOTALL,
)
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SECONDS["y"] = 365 * _SECONDS["d"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The series that fit the matchers; window_s is 0 without `[…]`."""

    matchers: tuple[selector.Matcher, ...]
    window_s: float = 0.0
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function of some arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Series joined to groups; `without` turns the meaning of `labels` round."""

    name: str
    labels: tuple[str, ...]
    without: bool
    inner: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Two sides and an operator. labels: what they are matched on, None for all."""

    sign: str
    left: Node
    right: Node
    as_number: bool = False
    labels: tuple[str, ...] | None = None
    ignoring: bool = False


Node: TypeAlias = Number | Chosen | Call | Aggregate | Binary


def parse(text: str) -> Node:
    """Read an expression. Raises `BadInput` for what is no PromQL or more than is answered."""
    if len(text) > LONGEST_EXPRESSION:
        raise BadInput(f"An expression has at most {LONGEST_EXPRESSION} characters.")
    reader = _Reader(text)
    found = reader.expression(0)
    if reader.kind:
        raise reader.refused()
    return found


def seconds(text: str) -> float:
    """A PromQL duration such as `5m` or `1h30m`, in seconds."""
    return sum(
        int(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text)
    )


class _Reader:
    """Reads one expression from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._depth = 0
        self.kind = ""
        self.word = ""
        self._next()

    def refused(self) -> BadInput:
        """Say where reading stopped."""
        at = self._text[max(0, self._end - len(self.word)) :][:40]
        return BadInput(
            f"{at!r} of {self._text[:100]!r} is not answered from recorded series.",
            hint="Files answer selectors, rates, aggregation and arithmetic;"
            " for all of PromQL give the address of a Prometheus server.",
        )

    def expression(self, level: int) -> Node:
        """One side of the operators of a level, and all that follow it there."""
        if level == len(PRECEDENCE):
            return self._unary()
        left = self.expression(level + 1)
        while self.word in PRECEDENCE[level] and self.kind in ("sign", "name"):
            left = self._binary(left, level)
        return left

    def _binary(self, left: Node, level: int) -> Binary:
        sign = self._taken()
        as_number = self._word("bool")
        labels, ignoring = None, False
        if self.word in ("on", "ignoring") and self.kind == "name":
            ignoring = self._taken() == "ignoring"
            labels = self._names()
        if self.word in ("group_left", "group_right"):
            raise self.refused()
        return Binary(
            sign=sign,
            left=left,
            right=self.expression(level + 1),
            as_number=as_number,
            labels=labels,
            ignoring=ignoring,
        )

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadInput(f"An expression is nested at most {DEEPEST} deep.")
        if self.word in ("-", "+") and self.kind == "sign":
            sign = self._taken()
            found: Node = Binary(sign=sign, left=Number(value=0.0), right=self._unary())
        elif self.word == "(":
            self._taken()
            found = self.expression(0)
            self._must(")")
        elif self.kind == "number":
            found = Number(value=float(self._taken()))
        else:
            found = self._named()
        self._depth -= 1
        return found

    def _named(self) -> Node:
        if self.kind == "braces":
            return self._chosen("")
        if self.kind != "name":
            raise self.refused()
        name = self._taken()
        if name in AGGREGATIONS and self.word in ("(", "by", "without"):
            return self._aggregate(name)
        if self.word == "(":
            return self._call(name)
        return self._chosen(name)

    def _aggregate(self, name: str) -> Aggregate:
        labels, without = self._grouping()
        self._must("(")
        inner = self.expression(0)
        self._must(")")
        if not labels and not without:
            labels, without = self._grouping()
        return Aggregate(name=name, labels=labels, without=without, inner=inner)

    def _grouping(self) -> tuple[tuple[str, ...], bool]:
        if self.word not in ("by", "without"):
            return (), False
        without = self._taken() == "without"
        return self._names(), without

    def _call(self, name: str) -> Call:
        if name not in FUNCTIONS:
            raise self.refused()
        self._must("(")
        arguments: list[Node] = []
        while self.word != ")":
            if arguments:
                self._must(",")
            arguments.append(self.expression(0))
        self._taken()
        return Call(name=name, arguments=tuple(arguments))

    def _chosen(self, name: str) -> Chosen:
        inside = self._taken() if self.kind == "braces" else ""
        window_s = seconds(self._taken()) if self.kind == "duration" else 0.0
        offset_s = 0.0
        if self._word("offset"):
            if self.kind != "span":
                raise self.refused()
            offset_s = seconds(self._taken())
        matchers = selector.parse(f"{name}{inside}")
        return Chosen(matchers=matchers, window_s=window_s, offset_s=offset_s)

    def _names(self) -> tuple[str, ...]:
        self._must("(")
        found: list[str] = []
        while self.word != ")":
            if found:
                self._must(",")
            if self.kind != "name":
                raise self.refused()
            found.append(self._taken())
        self._taken()
        return tuple(found)

    def _word(self, word: str) -> bool:
        found = self.kind == "name" and self.word == word
        if found:
            self._taken()
        return found

    def _must(self, word: str) -> None:
        if self.word != word:
            raise self.refused()
        self._taken()

    def _taken(self) -> str:
        word = self.word
        self._next()
        return word

    def _next(self) -> None:
        while True:
            if self._end == len(self._text):
                self.kind = self.word = ""
                return
            found = _TOKEN.match(self._text, self._end)
            if found is None:
                self.kind, self.word = "?", ""
                raise self.refused()
            self._end = found.end()
            self.kind, self.word = str(found.lastgroup), found[0]
            if self.kind != "space":
                return
