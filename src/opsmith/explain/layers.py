"""Layers: places the nodes of a directed graph in columns, callers before what they call.

Source: Sugiyama, Tagawa & Toda (1981), Methods for visual understanding of hierarchical system
structures: break circles, assign layers, order each layer by barycentres, then set coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Arc = tuple[int, int]
# Barycentre sweeps settle within a few rounds on graphs of this size (Gansner et al., 1993).
_SWEEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where everything is: the column of each node and its height, in rows.

    bends: for each edge the heights at which it crosses the columns between its ends.
    """

    column: tuple[int, ...]
    height: tuple[float, ...]
    bends: Mapping[Arc, tuple[float, ...]]


def place(count: int, edges: Iterable[Arc]) -> Placed:
    """Place the nodes 0 to `count` - 1. Same input, same places.

    An edge that closes a circle is turned for the layering; its bends run from its source all
    the same. Nodes in one column lie at least one row apart.
    """
    wanted = sorted({(source, target) for source, target in edges if source != target})
    forward = _without_circles(count, wanted)
    column = _columns(count, forward)
    chains, columns = _chains(column, forward)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    layers: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
    for dot, at in enumerate(columns):
        layers[at].append(dot)
    height = _heights(_ordered(layers, links), links)
    bends = {}
    for source, target in wanted:
        chain = chains.get((source, target)) or chains[target, source][::-1]
        bends[source, target] = tuple(height[dot] for dot in chain[1:-1])
    return Placed(
        column=tuple(column), height=tuple(height[node] for node in range(count)), bends=bends
    )


def _without_circles(count: int, edges: Sequence[Arc]) -> list[Arc]:
    """The edges with those turned that lead back to a node on the way from the root."""
    below: dict[int, list[int]] = {node: [] for node in range(count)}
    called = {target for _, target in edges}
    for source, target in edges:
        below[source].append(target)
    done: set[int] = set()
    forward: set[Arc] = set()
    # Nodes that nobody calls come first, so that a circle is entered where callers enter it.
    for root in sorted(range(count), key=lambda node: (node in called, node)):
        way = [] if root in done else [(root, iter(below[root]))]
        on_way = {root}
        while way:
            node, rest = way[-1]
            target = next(rest, node)
            if target == node:  # none is left: no edge leads from a node to itself
                done.add(node)
                on_way.discard(node)
                way.pop()
            elif target in on_way:
                forward.add((target, node))
            else:
                forward.add((node, target))
                if target not in done:
                    way.append((target, iter(below[target])))
                    on_way.add(target)
    return sorted(forward)


def _columns(count: int, forward: Sequence[Arc]) -> list[int]:
    """The longest way from a node that nobody calls; edges hold no circle any more."""
    column = [0] * count
    waiting = [0] * count
    below: dict[int, list[int]] = {}
    for source, target in forward:
        waiting[target] += 1
        below.setdefault(source, []).append(target)
    ready = [node for node in range(count) if not waiting[node]]
    for node in ready:
        for target in below.get(node, ()):
            column[target] = max(column[target], column[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return column


def _chains(
    column: Sequence[int], forward: Sequence[Arc]
) -> tuple[dict[Arc, list[int]], list[int]]:
    """Each edge as dots from column to column, and the column of every dot, nodes first."""
    columns = list(column)
    chains: dict[Arc, list[int]] = {}
    for source, target in forward:
        crossed = range(column[source] + 1, column[target])
        dots = range(len(columns), len(columns) + len(crossed))
        columns.extend(crossed)
        chains[source, target] = [source, *dots, target]
    return chains, columns


def _neighbours(links: Iterable[Arc]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    left: dict[int, list[int]] = {}
    right: dict[int, list[int]] = {}
    for source, target in links:
        right.setdefault(source, []).append(target)
        left.setdefault(target, []).append(source)
    return left, right


def _ordered(layers: list[list[int]], links: Sequence[Arc]) -> list[list[int]]:
    """Each layer in an order that lets few edges cross."""
    left, right = _neighbours(links)
    for sweep in range(_SWEEPS):
        beside, order = (left, layers) if sweep % 2 == 0 else (right, layers[::-1])
        row = {dot: float(i) for layer in layers for i, dot in enumerate(layer)}
        for layer in order:
            middle = {
                dot: _mean([row[other] for other in beside.get(dot, ())], row[dot])
                for dot in layer
            }
            layer.sort(key=middle.__getitem__)
            row.update({dot: float(i) for i, dot in enumerate(layer)})
    return layers


def _heights(layers: list[list[int]], links: Sequence[Arc]) -> dict[int, float]:
    """Heights near those of the neighbours, at least one row apart, from 0 downwards."""
    left, right = _neighbours(links)
    tallest = max(map(len, layers), default=0)
    height = {
        dot: i + (tallest - len(layer)) / 2 for layer in layers for i, dot in enumerate(layer)
    }
    for sweep in range(_SWEEPS):
        order = layers if sweep % 2 == 0 else layers[::-1]
        for layer in order:
            wished = [
                _mean(
                    [height[other] for other in (*left.get(dot, ()), *right.get(dot, ()))],
                    height[dot],
                )
                for dot in layer
            ]
            height.update(zip(layer, _spread(wished), strict=True))
    top = min(height.values(), default=0.0)
    return {dot: at - top for dot, at in height.items()}


def _spread(wished: Sequence[float]) -> list[float]:
    """The nearest heights (least squares) to those wished that lie one row apart, in order.

    Source: isotonic regression by pooling adjacent violators (Ayer et al., 1955), on the wishes
    less one row each.
    """
    pools: list[tuple[float, int]] = []
    for row, wish in enumerate(wished):
        total, size = wish - row, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            last_total, last_size = pools.pop()
            total, size = total + last_total, size + last_size
        pools.append((total, size))
    levels = [total / size for total, size in pools for _ in range(size)]
    return [level + row for row, level in enumerate(levels)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
