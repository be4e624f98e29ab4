"""Drawing: the scene with a place for every box and a way for every line, the path lit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from opsmith.explain.layers import Placed, place
from opsmith.explain.scene import Scene
from opsmith.explain.story import Line, Map, Node, Role
from opsmith.explain.words import clean, counted, name
from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind

# Pixels at the drawing's natural size.
_CHAR_WIDTH = 7.2
_BOX_HEIGHT = 42.0
_ROW = 64.0
_GAP = 64.0
_MARGIN = 16.0
_SHORTEST_BOX = 132.0
_BACKWARD_SHIFT = 9.0
_LONGEST_LABEL = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """Where columns and rows lie. lefts, widths: of each column."""

    row_of: dict[Entity, int]
    placed: Placed
    lefts: tuple[float, ...]
    widths: tuple[float, ...]

    def corner(self, entity: Entity) -> tuple[float, float]:
        row = self.row_of[entity]
        return self.lefts[self.placed.column[row]], _MARGIN + self.placed.height[row] * _ROW

    def width(self, entity: Entity) -> float:
        return self.widths[self.placed.column[self.row_of[entity]]]


def draw(scene: Scene) -> Map | None:
    """Place the scene; None when there are not two boxes, for one alone says nothing."""
    if len(scene.entities) < 2:  # noqa: PLR2004 - see above
        return None
    ground = _ground(scene)
    nodes = tuple(_node(entity, scene, ground) for entity in scene.entities)
    left = f"Not drawn: {counted(scene.left_out, 'component')} further away."
    lowest = max([*ground.placed.height, *(y for ys in ground.placed.bends.values() for y in ys)])
    way = ", then ".join(name(entity) for entity in scene.path)
    return Map(
        width=round(ground.lefts[-1] + ground.widths[-1] + _MARGIN, 1),
        height=round(_MARGIN + lowest * _ROW + _BOX_HEIGHT + _MARGIN, 1),
        nodes=nodes,
        lines=tuple(_line(edge, scene, ground) for edge in _lit_last(scene)),
        words=f"{len(nodes)} components. " + (f"The path: {way}." if way else "No path is lit."),
        note=left if scene.left_out else "",
    )


def _ground(scene: Scene) -> _Ground:
    row_of = {entity: row for row, entity in enumerate(scene.entities)}
    arcs = [(row_of[edge.source], row_of[edge.target]) for edge in scene.edges]
    placed = place(len(row_of), arcs)
    widths = [_SHORTEST_BOX] * (max(placed.column) + 1)
    for entity, row in row_of.items():
        wanted = _CHAR_WIDTH * len(_label(entity)) + 46
        widths[placed.column[row]] = max(widths[placed.column[row]], wanted)
    lefts = [_MARGIN]
    for width in widths[:-1]:
        lefts.append(lefts[-1] + width + _GAP)
    return _Ground(
        row_of=row_of,
        placed=placed,
        lefts=tuple(round(left, 1) for left in lefts),
        widths=tuple(round(width, 1) for width in widths),
    )


def _node(entity: Entity, scene: Scene, ground: _Ground) -> Node:
    x, y = ground.corner(entity)
    return Node(
        entity=name(entity),
        kind=entity.kind,
        label=_label(entity),
        x=x,
        y=round(y, 1),
        width=ground.width(entity),
        role=_role(entity, scene),
        alerting=entity in scene.alerting,
        step=scene.path.index(entity) + 1 if entity in scene.path else 0,
        rank=scene.ranks.get(entity, 0),
    )


def _role(entity: Entity, scene: Scene) -> Role:
    if scene.ranks.get(entity) == 1:
        return Role.CAUSE
    if entity in scene.path:
        return Role.PATH
    if entity in scene.alerting:
        return Role.ALERTING
    return Role.CANDIDATE if entity in scene.ranks else Role.OTHER


def _label(entity: Entity) -> str:
    """The name, cut in its middle, where names differ least."""
    label = clean(entity.name)
    if len(label) <= _LONGEST_LABEL:
        return label
    half = _LONGEST_LABEL // 2
    return f"{label[: half + 1]}…{label[-half + 2 :]}"


def _line(edge: Edge, scene: Scene, ground: _Ground) -> Line:
    verb = edge.kind.replace("_", " ")
    return Line(
        words=f"{name(edge.source)} {verb} {name(edge.target)}",
        d=_way(edge, ground),
        lit=(edge.source, edge.target) in scene.lit,
        blamed=scene.blamed.get((edge.source, edge.target)) == 1,
        called=edge.kind is EdgeKind.CALLS,
    )


def _lit_last(scene: Scene) -> list[Edge]:
    """The edges in the order of painting: what is lit lies on top."""
    return sorted(scene.edges, key=lambda e: ((e.source, e.target) in scene.lit, e))


def _way(edge: Edge, ground: _Ground) -> str:
    """SVG path data from the box of the source to the box of the target, over its bends."""
    source, target = ground.row_of[edge.source], ground.row_of[edge.target]
    columns = ground.placed.column
    forward = columns[source] < columns[target]
    shift = _BOX_HEIGHT / 2 + (0 if forward else _BACKWARD_SHIFT)
    step = 1 if forward else -1
    crossed = range(columns[source] + step, columns[target], step)
    points = [_side(edge.source, ground, right=forward, shift=shift)]
    for column, height in zip(crossed, ground.placed.bends[source, target], strict=True):
        left, y = ground.lefts[column], _MARGIN + height * _ROW + shift
        sides = (left, left + ground.widths[column])
        points.extend((x, y) for x in (sides if forward else sides[::-1]))
    points.append(_side(edge.target, ground, right=not forward, shift=shift))
    return _smooth(points)


def _side(entity: Entity, ground: _Ground, *, right: bool, shift: float) -> tuple[float, float]:
    x, y = ground.corner(entity)
    return (x + ground.width(entity) if right else x), y + shift


def _smooth(points: Sequence[tuple[float, float]]) -> str:
    """Level at every point: a curve over each gap, a straight line over each column."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        middle = (x0 + x1) / 2
        curve = f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        parts.append(curve if number % 2 == 0 else f"L{x1:.1f} {y1:.1f}")
    return "".join(parts)
