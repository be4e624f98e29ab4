"""Edge gaps and own time: which edge, which callee, or who is starved."""

from dataclasses import replace

import numpy as np
import pytest
from small_systems import (
    ALARM_S,
    CART,
    FRONT,
    PAY,
    STOCK,
    Book,
    call,
    first,
    line,
    recording,
    requests,
    shuffled,
)

from opsmith.localise.gaps import gaps, group_medians, short_of_processor
from opsmith.localise.open_calls import longer_calls
from opsmith.localise.scene import read_scene
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect, MetricKind, Unit
from opsmith.nouns.signals import SpanSide

DATABASE = Entity(kind=EntityKind.DATABASE, name="orders")


def shop(
    *, slow_edges: frozenset[tuple[Entity, Entity]] = frozenset(), busy: Entity | None = None
) -> Book:
    """front calls cart and pay, both call stock, stock asks its database."""

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        def ask(parent: int, callee: Entity, late: float) -> int:
            caller = book.rows[parent][2]
            slow = ill and ((caller, callee) in slow_edges or busy in (caller, callee))
            inside = 0.300 if ill and busy == callee else 0.010
            gap = 0.300 if slow else 0.002
            return call(book, parent, callee, at_s + late, gap_s=gap, inside_s=inside)

        root = book.span(FRONT, "GET /", at_s, 0.1)
        cart = ask(root, CART, 0.001)
        pay = ask(root, PAY, 0.02)
        for number, served in enumerate((cart, pay)):
            stock = ask(served, STOCK, 0.03 + 0.01 * number)
            book.span(
                STOCK,
                "SELECT",
                at_s + 0.035,
                0.3 if ill and busy == STOCK else 0.001,
                parent=stock,
                side=SpanSide.CLIENT,
                attributes={"callee": "database:orders"},
            )

    return requests(write)


def strengths(book: Book, **parts: object) -> dict[Entity, float]:
    return dict(gaps(read_scene(recording(spans=book.spans(), **parts))).strength)


def test_one_slow_edge_is_blamed_and_not_its_callee() -> None:
    found = strengths(shop(slow_edges=frozenset({(CART, STOCK)})))

    assert first(found.items()) == Entity.edge("cart", "stock")
    assert found.get(STOCK, 0.0) < 0.5 * found[Entity.edge("cart", "stock")]


def test_a_callee_slow_on_all_its_edges_is_blamed_itself() -> None:
    found = strengths(shop(slow_edges=frozenset({(CART, STOCK), (PAY, STOCK)})))

    assert first(found.items()) == STOCK


def test_where_no_edge_may_be_blamed_its_callee_is() -> None:
    book = shop(slow_edges=frozenset({(CART, STOCK)}))
    found = strengths(book, candidates=(FRONT, CART, PAY, STOCK))

    assert first(found.items()) == STOCK
    assert all(one.kind is not EntityKind.EDGE for one in found)


def test_a_starved_service_is_blamed_for_the_edges_into_it() -> None:
    cpu = line(STOCK, Aspect.CPU, 0.1, 0.9)
    found = strengths(shop(busy=STOCK), series=(cpu,))

    assert first(found.items()) == STOCK


def test_a_starved_caller_is_not_its_callees_fault() -> None:
    slow = frozenset({(FRONT, CART), (FRONT, PAY)})
    found = strengths(shop(slow_edges=slow), candidates=(FRONT, CART, PAY, STOCK))

    assert found.get(CART, 0.0) < 0.5
    assert found.get(PAY, 0.0) < 0.5


@pytest.mark.parametrize(("used", "short"), [(0.3, False), (1.9, True)])
def test_who_has_processor_time_left_is_not_short_of_it(used: float, short: bool) -> None:  # noqa: FBT001 - as parametrised
    cpu = line(
        CART,
        Aspect.CPU,
        0.5,
        10.0 * used,
        name="process_cpu_seconds_total",
        unit=Unit.SECONDS,
        kind=MetricKind.COUNTER,
    )
    cores = line(
        CART,
        Aspect.CPU,
        2.0,
        2.0,
        name="container_spec_cpu_cores",
        unit=Unit.COUNT,
        wobble=0.0,
    )
    scene = read_scene(recording(series=(cpu, cores)))

    assert short_of_processor(scene, CART) is short
    assert short_of_processor(read_scene(recording(series=(cpu,))), CART)


@pytest.mark.parametrize(("served_s", "slow"), [(0.8, True), (0.002, False)])
def test_a_call_that_waited_for_a_connection_tells_what_it_took_beyond_the_longest_wait(
    served_s: float,
    slow: bool,  # noqa: FBT001 - as parametrised
) -> None:
    count = 0

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        nonlocal count
        count += 1
        in_vain = ill and count % 2 == 0
        took = 1.5 if in_vain else 1.2 + served_s if ill else 0.002
        cart = book.span(CART, "serve", at_s, took + 0.01, failed=in_vain)
        told = {"callee": str(DATABASE)} | ({"db.pool.exhausted": "true"} if ill else {})
        book.span(
            CART,
            "SELECT",
            at_s + 0.001,
            took,
            parent=cart,
            failed=in_vain,
            side=SpanSide.CLIENT,
            attributes=told,
        )

    found = strengths(requests(write))

    assert (found.get(Entity.edge("cart", "orders"), 0.0) > 1.0) is slow


def test_a_store_that_keeps_no_spans_is_known_by_its_client_span() -> None:
    found = gaps(read_scene(recording(spans=shop(busy=STOCK).spans())))

    facts = [fact for facts in found.evidence.values() for fact in facts]
    assert any("database:orders" in fact.claim for fact in facts)


def test_a_slow_way_to_a_queue_is_not_that_to_whoever_takes_the_message_out() -> None:
    queue = Entity(kind=EntityKind.QUEUE, name="orders")

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(CART, "POST /orders", at_s, 1.0)
        put_s = 0.6 if ill else 0.002
        told = {"callee": str(queue)}
        put = book.span(
            CART, "XADD", at_s, put_s, parent=root, side=SpanSide.CLIENT, attributes=told
        )
        book.span(STOCK, "take", at_s + put_s, 0.005, parent=put)

    book = requests(write)

    assert first(strengths(book).items()) == Entity.edge("cart", "orders")
    assert longer_calls(read_scene(recording(spans=book.spans()))).keys() == {CART, queue}


def test_own_time_is_told_with_its_operation() -> None:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /", at_s, 0.1)
        served = call(book, root, CART, at_s, inside_s=0.4 if ill else 0.02)
        book.span(CART, "compute", at_s, 0.01, parent=served, side=SpanSide.INTERNAL)

    found = gaps(read_scene(recording(spans=requests(write).spans())))

    assert first(found.strength.items()) == CART
    assert "own time of service:cart in `serve cart` went from 10 ms to 390 ms" in (
        found.evidence[CART][0].claim
    )


def test_waiting_for_a_slow_transfer_is_the_edges_fault() -> None:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /", at_s, 0.1)
        inside, gap = (0.6, 0.6) if ill else (0.01, 0.002)
        served = call(book, root, CART, at_s, inside_s=inside, gap_s=gap)
        book.span(
            CART, "SELECT", at_s, 0.001, parent=served, side=SpanSide.CLIENT,
            attributes={"callee": "database:orders"},
        )  # fmt: skip
        book.span(CART, "work", at_s, 0.001, parent=served, side=SpanSide.INTERNAL)

    found = strengths(requests(write))

    assert first(found.items()) == Entity.edge("front", "cart")


def test_too_few_spans_say_nothing() -> None:
    book = Book()
    for at_s in (ALARM_S - 300.0, ALARM_S + 5.0):
        root = book.span(FRONT, "GET /", at_s, 0.1)
        call(book, root, CART, at_s, gap_s=1.0 if at_s > ALARM_S else 0.001)

    assert strengths(book) == {}


def test_unfinished_spans_are_left_out() -> None:
    spans = shop().spans()
    duration_s = spans.duration_s.copy()
    duration_s[::7] = np.nan

    found = gaps(read_scene(recording(spans=replace(spans, duration_s=duration_s))))

    assert all(np.isfinite(one) for one in found.strength.values())


def test_the_order_of_the_spans_does_not_matter() -> None:
    spans = shop(busy=STOCK).spans()
    mixed = shuffled(spans, np.random.default_rng(5))

    def found(case: Recording) -> dict[Entity, float]:
        return dict(gaps(read_scene(case)).strength)

    assert found(recording(spans=mixed)) == pytest.approx(found(recording(spans=spans)))


def test_no_spans_give_nothing() -> None:
    assert gaps(read_scene(recording())).strength == {}


def test_medians_of_groups_are_the_plain_medians() -> None:
    rng = np.random.default_rng(2)
    number, value = rng.integers(0, 9, 200), rng.random(200)

    median, size = group_medians(number, value, 10)

    for group in range(9):
        assert median[group] == pytest.approx(np.median(value[number == group]))
        assert size[group] == (number == group).sum()
    assert np.isnan(median[9])
