"""Pools that fill because calls became slow, and pools that leak."""

from small_systems import CART, FRONT, SHOP, Book, alarm, calls, recording, requests

from opsmith.localise.diagnose import localise, measure
from opsmith.localise.held import holders_of, with_holders
from opsmith.localise.scene import read_scene
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.signals import SpanSide

ORDERS = Entity(kind=EntityKind.DATABASE, name="orders")
EDGE = Entity.edge("cart", "orders")


def shop(*, served_s: float) -> Recording:
    """Cart asks its database; in the incident every other call finds the pool exhausted.

    served_s: what the calls that are served take then; 2 ms is as before.
    """
    count = 0

    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        nonlocal count
        count += 1
        refused = ill and count % 2 == 0
        took = 1.5 if refused else served_s if ill else 0.002
        root = book.span(FRONT, "GET /", at_s, took + 0.02, failed=refused)
        cart = book.span(CART, "serve", at_s + 0.001, took + 0.01, parent=root, failed=refused)
        told = {"callee": str(ORDERS)} | ({"db.pool.exhausted": "true"} if refused else {})
        book.span(
            CART,
            "SELECT",
            at_s + 0.002,
            took,
            parent=cart,
            failed=refused,
            side=SpanSide.CLIENT,
            attributes=told,
        )

    topology = calls((FRONT, CART), (CART, ORDERS))
    spans = requests(write).spans()
    return recording(spans=spans, alerts=(alarm(FRONT),), alerting=(FRONT,), topology=topology)


def test_a_pool_that_a_slow_edge_fills_is_the_edges_doing() -> None:
    found = localise(shop(served_s=0.6))

    assert found.causes[0].entity == EDGE


def test_a_pool_that_leaks_is_its_owners_fault_as_calls_that_are_served_stay_fast() -> None:
    found = localise(shop(served_s=0.002))

    assert found.causes[0].entity == CART


def test_an_owner_keeps_the_share_of_its_pool_that_needs_no_slow_call() -> None:
    scene = read_scene(shop(served_s=0.6))
    holder = holders_of(measure(scene))[CART]

    assert holder.edge == EDGE
    assert 0.0 < holder.kept < 0.1


def test_what_a_held_pool_shows_counts_for_the_edge_that_holds_it_and_is_no_reset() -> None:
    cause = localise(shop(served_s=0.6)).causes[0]

    assert any("found its pool exhausted" in fact.claim for fact in cause.evidence)
    assert cause.kind is CauseKind.DEPENDENCY_SLOW


def test_without_a_full_pool_nothing_is_moved() -> None:
    findings = measure(read_scene(recording(spans=None, topology=SHOP)))

    assert with_holders(findings) == findings
    assert [one.channel for one in findings][-1] is Channel.ALERT
