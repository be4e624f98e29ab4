"""Lost calls: what the caller does after one is the way's doing, not its own."""

import numpy as np
from small_systems import (
    ALARM_S,
    CART,
    END_S,
    FRONT,
    STOCK,
    Book,
    call,
    recording,
    requests,
)

from opsmith.localise.lost_calls import begun, lost_since
from opsmith.localise.novelty import new_pairs
from opsmith.localise.scene import read_scene
from opsmith.nouns.signals import SpanSide


def lost(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    """A call that never arrives; the caller logs that, and fails."""
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    if not ill:
        call(book, root, CART, at_s + 0.01)
        return
    book.span(
        FRONT,
        "call cart",
        at_s + 0.01,
        0.01,
        parent=root,
        failed=True,
        side=SpanSide.CLIENT,
        attributes={"callee": "service:cart"},
    )
    book.log(root, "ERROR cart does not answer", at_s + 0.05, severity=17)


def raising(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    """The same line and end, but the call arrives."""
    root = book.span(FRONT, "GET /", at_s, 0.1, failed=ill)
    call(book, root, CART, at_s + 0.01)
    if ill:
        book.log(root, "ERROR cart does not answer", at_s + 0.05, severity=17)


def test_an_error_after_a_lost_call_does_not_blame_the_caller() -> None:
    book, other = requests(lost), requests(raising)

    explained = new_pairs(read_scene(recording(spans=book.spans(), logs=book.logs())))
    own = new_pairs(read_scene(recording(spans=other.spans(), logs=other.logs())))

    assert FRONT not in explained.strength
    assert own.strength[FRONT] > 1.0


def test_a_loss_is_dated_at_and_above_the_call_and_nowhere_else() -> None:
    scene = read_scene(recording(spans=requests(lost).spans()))
    traces = scene.traces
    assert traces is not None

    first_s = lost_since(traces, ALARM_S)
    finite = np.isfinite(first_s)

    assert finite.sum() == 2 * np.count_nonzero(traces.after(ALARM_S))
    assert np.all(first_s[finite] >= ALARM_S)
    assert np.all(first_s[finite] < END_S)
    assert not finite[traces.parent[~finite]][traces.parent[~finite] >= 0].any()


def test_a_call_that_runs_out_of_time_began_with_the_last_call_that_was_waited_for() -> None:
    def waiting(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        took = 2.0 if ill else 0.01
        root = book.span(FRONT, "GET /", at_s, 1.1 if ill else 0.1, failed=ill)
        asked = book.span(
            FRONT,
            "call cart",
            at_s + 0.01,
            1.0 if ill else 0.05,
            parent=root,
            failed=ill,
            side=SpanSide.CLIENT,
        )
        cart = book.span(CART, "serve", at_s + 0.02, took + 0.01, parent=asked)
        call(book, cart, STOCK, at_s + 0.03, inside_s=took)

    traces = read_scene(recording(spans=requests(waiting).spans())).traces
    assert traces is not None

    names, callee, began = begun(traces)
    ill = np.flatnonzero(began)

    assert {names[number] for number in callee[ill]} == {STOCK}
    assert {traces.spans.entities[number] for number in traces.spans.entity[ill]} == {CART}
