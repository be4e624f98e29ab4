"""Small hand-made recordings for the tests of localise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit
from opsmith.nouns.signals import SIDES, Alert, AlertSource, Direction, Logs, Spans, SpanSide
from opsmith.nouns.topology import Edge, EdgeKind, Topology

T0 = 1_700_000_000.0
STEP_S = 10.0
QUIET_SAMPLES = 60
ILL_SAMPLES = 12
ALARM_S = T0 + QUIET_SAMPLES * STEP_S
END_S = ALARM_S + ILL_SAMPLES * STEP_S
FRONT, CART, STOCK, PAY = (Entity.service(name) for name in ("front", "cart", "stock", "pay"))
GRID = T0 + STEP_S * np.arange(QUIET_SAMPLES + ILL_SAMPLES)
UNITS = {
    Aspect.LATENCY: Unit.SECONDS,
    Aspect.ERRORS: Unit.RATIO,
    Aspect.CPU: Unit.RATIO,
    Aspect.MEMORY: Unit.BYTES,
    Aspect.DISK: Unit.RATIO,
}


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, tz=UTC)


def calls(*pairs: tuple[Entity, Entity], kind: EdgeKind = EdgeKind.CALLS) -> Topology:
    edges = tuple(Edge(source=a, target=b, kind=kind) for a, b in pairs)
    return Topology(entities=tuple(sorted({e for pair in pairs for e in pair})), edges=edges)


SHOP = calls((FRONT, CART), (FRONT, PAY), (CART, STOCK))


def line(  # noqa: PLR0913 - a test names what it needs
    entity: Entity | None,
    aspect: Aspect,
    before: float,
    after: float,
    *,
    name: str = "",
    unit: Unit | None = None,
    kind: MetricKind = MetricKind.GAUGE,
    labels: tuple[tuple[str, str], ...] = (),
    wobble: float = 0.02,
) -> Series:
    """A series at one level, wobbling a little, and at another from the alarm on."""
    swing = 1.0 + wobble * np.sin(np.arange(len(GRID)) * 1.7)
    values = np.where(GRID < ALARM_S, before, after) * swing
    return Series(
        name=name or str(aspect),
        labels=(*labels, ("service", entity.name if entity else "")),
        entity=entity,
        aspect=aspect,
        unit=unit or UNITS.get(aspect, Unit.UNKNOWN),
        kind=kind,
        times_s=GRID,
        values=np.cumsum(values) if kind is MetricKind.COUNTER else values,
    )


def alarm(entity: Entity, aspect: Aspect = Aspect.LATENCY) -> Alert:
    return Alert(
        fingerprint=f"{entity}-{aspect}",
        name="Slow",
        entity=entity,
        source=AlertSource.METRIC,
        aspect=aspect,
        direction=Direction.UP,
        metric=str(aspect),
        severity="page",
        starts_at=moment(ALARM_S + 1.0),
        ends_at=None,
    )


def recording(**parts: object) -> Recording:
    """An incident from the alarm on, with all before as its reference unless told otherwise."""
    told = {
        "name": "small",
        "window": Window(start=moment(ALARM_S), end=moment(END_S)),
        "topology": SHOP,
        **parts,
    }
    return Recording(**told)  # type: ignore[arg-type] - a test names the parts it needs


Call = tuple["Entity", str, float, Sequence["Call"]]  # type: ignore[misc] - a tree of calls


@dataclass
class Book:
    """Spans and log lines, written trace by trace."""

    rows: list[tuple[int, int, Entity, str, float, float, bool, SpanSide, dict[str, str]]] = field(
        default_factory=list
    )
    lines: list[tuple[Entity, str, float, int, int]] = field(default_factory=list)
    traces: int = 0
    weights: list[float] = field(default_factory=list)

    def span(  # noqa: PLR0913 - a test names what it needs
        self,
        entity: Entity,
        operation: str,
        start_s: float,
        duration_s: float,
        *,
        parent: int = -1,
        failed: bool = False,
        side: SpanSide = SpanSide.SERVER,
        attributes: dict[str, str] | None = None,
        weight: float = 1.0,
    ) -> int:
        if parent < 0:
            self.traces += 1
        row = (self.traces, parent, entity, operation, start_s, duration_s, failed, side)
        self.rows.append((*row, attributes or {}))
        self.weights.append(weight)
        return len(self.rows) - 1

    def log(self, span: int, template: str, at_s: float, severity: int = 9) -> None:
        entity = self.rows[span][2] if span >= 0 else CART
        self.lines.append((entity, template, at_s, severity, span))

    def spans(self) -> Spans:
        entities = tuple(dict.fromkeys(row[2] for row in self.rows))
        operations = tuple(dict.fromkeys(row[3] for row in self.rows))
        sets = tuple(dict.fromkeys([(), *(tuple(row[8].items()) for row in self.rows)]))
        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * 9
        return Spans(
            entities=entities,
            operations=operations,
            attribute_sets=sets,
            trace=np.array(columns[0], dtype=np.int64),
            parent=np.array(columns[1], dtype=np.int64),
            entity=np.array([entities.index(one) for one in columns[2]], dtype=np.int32),
            operation=np.array([operations.index(one) for one in columns[3]], dtype=np.int32),
            start_s=np.array(columns[4], dtype=np.float64),
            duration_s=np.array(columns[5], dtype=np.float64),
            failed=np.array(columns[6], dtype=np.bool_),
            side=np.array([SIDES.index(one) for one in columns[7]], dtype=np.int8),
            weight=np.array(self.weights, dtype=np.float64),
            attributes=np.array(
                [sets.index(tuple(one.items())) for one in columns[8]], dtype=np.int32
            ),
        )

    def logs(self) -> Logs:
        entities = tuple(dict.fromkeys(one[0] for one in self.lines))
        templates = tuple(dict.fromkeys(one[1] for one in self.lines))
        return Logs(
            entities=entities,
            templates=templates,
            examples=templates,
            at_s=np.array([one[2] for one in self.lines], dtype=np.float64),
            entity=np.array([entities.index(one[0]) for one in self.lines], dtype=np.int32),
            template=np.array([templates.index(one[1]) for one in self.lines], dtype=np.int32),
            severity=np.array([one[3] for one in self.lines], dtype=np.int8),
            span=np.array([one[4] for one in self.lines], dtype=np.int64),
            weight=np.ones(len(self.lines)),
        )


def call(  # noqa: PLR0913 - a test names what it needs
    book: Book,
    parent: int,
    callee: Entity,
    start_s: float,
    *,
    inside_s: float = 0.010,
    gap_s: float = 0.002,
    failed: bool = False,
) -> int:
    """A client span of the parent's entity and the callee's server span; returns the latter."""
    caller = book.rows[parent][2]
    client = book.span(
        caller,
        f"call {callee.name}",
        start_s,
        inside_s + gap_s,
        parent=parent,
        side=SpanSide.CLIENT,
        failed=failed,
    )
    return book.span(
        callee, f"serve {callee.name}", start_s + gap_s / 2, inside_s, parent=client, failed=failed
    )


def requests(
    write: Callable[[Book, float, bool], None], *, before: int = 40, after: int = 20
) -> Book:
    """So many requests spread over the quiet time, and so many over the incident."""
    book = Book()
    quiet = np.linspace(T0, ALARM_S - 100.0, before)
    ill = np.linspace(ALARM_S + 1.0, END_S - 5.0, after)
    for at_s, is_ill in [*((t, False) for t in quiet), *((t, True) for t in ill)]:
        write(book, float(at_s), is_ill)
    return book


def shuffled(spans: Spans, rng: np.random.Generator) -> Spans:
    """The same spans in another order."""
    order = rng.permutation(len(spans.trace))
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    place[-1] = -1
    rows = {
        name: getattr(spans, name)[order]
        for name in (
            "trace",
            "entity",
            "operation",
            "start_s",
            "duration_s",
            "failed",
            "side",
            "weight",
            "attributes",
        )
    }
    return Spans(
        entities=spans.entities,
        operations=spans.operations,
        attribute_sets=spans.attribute_sets,
        parent=place[spans.parent[order]],
        **rows,
    )


def first(entities: Iterable[tuple[Entity, float]]) -> Entity:
    """The entity with the largest number."""
    return max(entities, key=lambda item: item[1])[0]
