"""Failures: where they begin, and who answers for them."""

from collections.abc import Callable

import numpy as np
import pytest
from small_systems import (
    ALARM_S,
    CART,
    END_S,
    FRONT,
    STOCK,
    T0,
    Book,
    call,
    first,
    recording,
    requests,
)

from opsmith.localise.failures import failures
from opsmith.localise.findings import Findings
from opsmith.localise.scene import read_scene
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.signals import SpanSide

Writes = Callable[[Book, float, bool], None]
DATABASE = Entity(kind=EntityKind.DATABASE, name="orders")


def found(write: Writes, **parts: object) -> Findings:
    return failures(read_scene(recording(spans=requests(write).spans(), **parts)))


def failing_stock(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    cart = call(book, root, CART, at_s, failed=ill)
    call(book, cart, STOCK, at_s, failed=ill)


def test_who_fails_without_a_failing_callee_is_blamed() -> None:
    finding = found(failing_stock)

    assert list(finding.strength) == [STOCK]
    assert finding.evidence[STOCK][0].claim == (
        "operations of service:stock that failed by themselves: 20 of 20, before 0 of 40"
    )


def cut_edge(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    if ill:
        book.span(
            FRONT,
            "call cart",
            at_s,
            0.01,
            parent=root,
            failed=True,
            side=SpanSide.CLIENT,
            attributes={"callee": "service:cart"},
        )
    else:
        call(book, root, CART, at_s)


def test_a_call_that_the_callee_never_saw_is_charged_to_the_edge() -> None:
    finding = found(cut_edge)

    assert first(finding.strength.items()) == Entity.edge("front", "cart")
    assert finding.features["edge"][Entity.edge("front", "cart")] > 1.0


def one_cut(other: Entity) -> Writes:
    """Calls from front to cart are lost; `other` calls cart as well, and is served."""

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        cut_edge(book, at_s, ill)
        call(book, book.span(other, "GET /", at_s, 0.1), CART, at_s)

    return write


def test_a_callee_that_serves_its_other_callers_is_hardly_charged_with_a_failing_edge() -> None:
    edge = Entity.edge("front", "cart")
    alone, beside = found(one_cut(FRONT)).strength, found(one_cut(STOCK)).strength

    assert alone[CART] == pytest.approx(0.7 * alone[edge])
    assert beside[CART] < 0.1 * beside[edge]


def cut_off(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    """None of the calls of the front arrives."""
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    for callee in (CART, STOCK):
        if not ill:
            call(book, root, callee, at_s)
            continue
        book.span(
            FRONT,
            f"call {callee.name}",
            at_s,
            0.01,
            parent=root,
            failed=True,
            side=SpanSide.CLIENT,
            attributes={"callee": str(callee)},
        )


def test_who_loses_its_calls_to_most_of_its_callees_has_that_in_common() -> None:
    finding = found(cut_off)

    assert first(finding.strength.items()) == FRONT
    assert "most of those it calls" in finding.evidence[FRONT][0].claim


def test_where_no_edge_may_be_blamed_the_callee_answers() -> None:
    assert first(found(cut_edge, candidates=(FRONT, CART)).strength.items()) == CART


def full_pool(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(CART, "GET /", at_s, 0.1, failed=ill)
    attributes = {"callee": "database:orders"} | ({"db.pool.exhausted": "true"} if ill else {})
    book.span(
        CART,
        "SELECT",
        at_s,
        0.01,
        parent=root,
        failed=ill,
        side=SpanSide.CLIENT,
        attributes=attributes,
    )


def test_a_full_pool_is_its_owners_fault_and_not_the_databases() -> None:
    finding = found(full_pool)

    assert first(finding.strength.items()) == CART
    assert finding.features["pool"][CART] > 1.0
    assert DATABASE not in finding.strength


def test_errors_that_were_always_there_are_no_news() -> None:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: ARG001, FBT001 - as requests calls
        book.span(CART, "GET /", at_s, 0.1, failed=True)

    assert found(write).strength == {}


def test_error_lines_outside_any_trace_count_in_slots() -> None:
    book = Book()
    for at_s in np.arange(T0, END_S, 5.0):
        book.log(-1, "INFO tick", float(at_s))
        if at_s >= ALARM_S:
            book.log(-1, "ERROR gone", float(at_s), severity=17)

    finding = failures(read_scene(recording(logs=book.logs())))

    assert finding.strength[CART] > 1.0
    assert "slots of 10 s with error lines of service:cart" in finding.evidence[CART][0].claim


def test_nothing_recorded_gives_nothing() -> None:
    assert failures(read_scene(recording())).strength == {}
    assert failures(read_scene(recording(window=None))).strength == {}
    assert failures(read_scene(recording(logs=Book().logs()))).strength == {}
