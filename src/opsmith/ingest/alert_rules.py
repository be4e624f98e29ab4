"""Alert rules: what a server alerts on, as thresholds that a forecast can be held against.

Source: Prometheus documentation, "HTTP API", Rules; "Operators", comparison binary operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from opsmith.nouns.forecast import Side
from opsmith.nouns.sign import AlertRule, Threshold

LONGEST_EXPRESSION = 4096
# What stands aside of the outermost operators: strings and everything in brackets.
_TOKEN = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|[(){}\[\]]"
    r"|[<>]=?|[=!]=|\b(?:and|or|unless|bool|on|ignoring|group_left|group_right)\b",
)
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
# `a > b` fires where a - b is above 0; joins by other labels are left alone.
_SIDES = {">": Side.ABOVE, ">=": Side.ABOVE, "<": Side.BELOW, "<=": Side.BELOW}
_TURNED = {Side.ABOVE: Side.BELOW, Side.BELOW: Side.ABOVE}


def thresholds(rules: Sequence[AlertRule]) -> tuple[Threshold, ...]:
    """The thresholds in alert rules; rules that compare nothing, or several things, have none."""
    found = (threshold(rule.name, rule.promql) for rule in rules)
    distinct = {(one.promql, one.side, one.value): one for one in found if one is not None}
    return tuple(distinct.values())


def threshold(name: str, expression: str) -> Threshold | None:
    """What `expression` compares, when it is one comparison; None for anything else.

    >>> threshold("Full", "disk_used_bytes / disk_size_bytes > 0.9").value
    0.9
    """
    if len(expression) > LONGEST_EXPRESSION:
        return None
    outer = tuple(_outermost(_bare(expression)))
    if len(outer) != 1 or outer[0][0] not in _SIDES:
        return None
    operator, start, end = outer[0]
    left, right = _bare(expression)[:start].strip(), _bare(expression)[end:].strip()
    side = _SIDES[operator]
    if not left or not right:
        return None
    if (value := _value(right)) is not None:
        return Threshold(name=name, promql=left, side=side, value=value, origin="rule")
    if (value := _value(left)) is not None:
        return Threshold(name=name, promql=right, side=_TURNED[side], value=value, origin="rule")
    both = f"({left}) - ({right})"
    return Threshold(name=name, promql=both, side=side, value=0.0, origin="rule")


def _bare(expression: str) -> str:
    """Without brackets around the whole."""
    stripped = expression.strip()
    while stripped.startswith("(") and _closes(stripped) == len(stripped) - 1:
        stripped = stripped[1:-1].strip()
    return stripped


def _closes(expression: str) -> int:
    depth = 0
    for token in _TOKEN.finditer(expression):
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if depth == 0 and token[0] in _CLOSING:
            return token.start()
    return -1


def _outermost(expression: str) -> Iterator[tuple[str, int, int]]:
    """The operators outside all brackets, with their places."""
    depth = 0
    for token in _TOKEN.finditer(expression):
        if token[0][0] in "\"'`":
            continue
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if depth == 0 and token[0] not in _CLOSING:
            yield token[0], token.start(), token.end()


def _value(side: str) -> float | None:
    """The number that a side is: a literal, or literals that are multiplied or divided."""
    product, at, divide = 1.0, 0, False
    while (found := _NUMBER.match(side, at)) is not None:
        number = float(found[1])
        if divide and number == 0:
            return None
        product = product / number if divide else product * number
        at = found.end()
        if at == len(side):
            return product
        if side[at] not in "*/":
            return None
        divide, at = side[at] == "/", at + 1
    return None
