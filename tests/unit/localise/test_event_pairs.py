"""Event pairs: what an operation does now that it did not do before."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import (
    ALARM_S,
    CART,
    END_S,
    FRONT,
    STOCK,
    Book,
    call,
    first,
    recording,
    requests,
    shuffled,
)

from opsmith.localise.event_pairs import END, FAILED_END, START, Pairs, read_pairs
from opsmith.localise.novelty import new_pairs, rate
from opsmith.localise.rise import compare
from opsmith.localise.scene import Scene, read_scene
from opsmith.localise.traces import Traces
from opsmith.nouns.signals import Logs


def early_return(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    """front calls cart, cart looks at the stock and logs; when ill, it logs and returns."""
    root = book.span(FRONT, "GET /cart", at_s, 0.1)
    served = call(book, root, CART, at_s + 0.01, inside_s=0.05)
    book.log(served, "INFO Cart#1", at_s + 0.012)
    if ill:
        book.log(served, "ERROR Cart#9", at_s + 0.013, severity=17)
        return
    call(book, served, STOCK, at_s + 0.02)
    book.log(served, "INFO Cart#2", at_s + 0.04)


def scene_of(book: Book, *, logs: bool = True) -> Scene:
    return read_scene(recording(spans=book.spans(), logs=book.logs() if logs else None))


def traces_of(scene: Scene) -> Traces:
    assert scene.traces is not None
    return scene.traces


def test_an_early_return_blames_who_executed_it_and_says_how() -> None:
    found = new_pairs(scene_of(requests(early_return)))

    assert first(found.strength.items()) == CART
    claims = [one.claim for one in found.evidence[CART]]
    assert (
        "`serve cart` of service:cart: after `INFO Cart#1` now comes `ERROR Cart#9`"
        " in 20 of 20 traces, before in 0 of 40"
    ) in claims
    assert found.strength.get(FRONT, 0.0) < 1.0


def test_without_log_lines_the_missing_call_still_shows() -> None:
    found = new_pairs(scene_of(requests(early_return), logs=False))

    assert first(found.strength.items()) == CART
    assert found.features["early_end"][CART] > 1.0
    assert "after its start now comes its end" in found.evidence[CART][0].claim


def test_log_lines_of_one_period_alone_are_not_compared() -> None:
    book = requests(early_return)
    logs = book.logs()
    late = logs.at_s >= ALARM_S - 50.0
    only_late = Logs(
        entities=logs.entities,
        templates=logs.templates,
        examples=logs.examples,
        at_s=logs.at_s[late],
        entity=logs.entity[late],
        template=logs.template[late],
        severity=logs.severity[late],
        span=logs.span[late],
        weight=logs.weight[late],
    )
    scene = read_scene(recording(spans=book.spans(), logs=only_late))

    assert read_pairs(traces_of(scene), only_late).events.templates == 0


def test_lines_that_were_left_out_of_traces_that_were_kept_are_no_events() -> None:
    def sound(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        early_return(book, at_s, ill=False)
        if ill and at_s > (ALARM_S + END_S) / 2.0:
            book.lines[-2:] = []

    book = requests(sound)
    logs = book.logs()
    halved = replace(logs, weight=np.where(logs.at_s >= ALARM_S - 50.0, 2.0, 1.0))
    whole, half = (
        new_pairs(read_scene(recording(spans=book.spans(), logs=one))).strength.get(CART, 0.0)
        for one in (logs, halved)
    )

    assert whole > 1.0
    assert half == 0.0


def test_lines_are_events_of_traces_that_stand_for_as_many() -> None:
    book = requests(early_return)
    spans = replace(book.spans(), weight=np.full(len(book.rows), 10.0))
    logs = replace(book.logs(), weight=np.full(len(book.lines), 10.0))
    scene = read_scene(recording(spans=spans, logs=logs))

    assert read_pairs(traces_of(scene), logs).events.templates == len(logs.templates)


def test_a_failed_end_is_another_end() -> None:
    def failing(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /cart", at_s, 0.1, failed=ill)
        call(book, root, CART, at_s + 0.01, failed=ill)

    found = new_pairs(scene_of(requests(failing), logs=False))

    assert found.features["failure"][CART] > 1.0
    assert "an end in failure" in found.evidence[CART][0].claim
    # The caller fails only because its callee did: that is explained away.
    assert found.strength.get(FRONT, 0.0) < 0.5 * found.strength[CART]


def test_a_later_consequence_elsewhere_is_explained_by_the_earlier_cause() -> None:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /cart", at_s, 0.1)
        served = call(book, root, CART, at_s + 0.01)
        book.log(served, "INFO new" if ill else "INFO old", at_s + 0.012)
        other = call(book, root, STOCK, at_s + 0.05)
        book.log(other, "INFO stale" if ill else "INFO fresh", at_s + 0.052)

    found = new_pairs(scene_of(requests(write)))

    assert found.strength[CART] > 1.0
    assert found.strength.get(STOCK, 0.0) == 0.0


def test_weights_count_as_effective_traces() -> None:
    book = requests(early_return)
    scene = scene_of(book)
    heavy = replace(book.spans(), weight=np.full(len(book.rows), 10.0))
    same = read_scene(recording(spans=heavy, logs=book.logs()))

    assert new_pairs(same).strength[CART] == pytest.approx(new_pairs(scene).strength[CART])


def test_the_order_of_the_spans_does_not_matter() -> None:
    book = requests(early_return)
    mixed = recording(spans=shuffled(book.spans(), np.random.default_rng(1)))

    assert dict(new_pairs(read_scene(mixed)).strength) == pytest.approx(
        dict(new_pairs(scene_of(book, logs=False)).strength)
    )


def test_no_spans_and_no_time_give_nothing() -> None:
    assert new_pairs(read_scene(recording())).strength == {}


def test_a_circle_of_parents_ends() -> None:
    book = requests(early_return)
    spans = book.spans()
    parent = spans.parent.copy()
    parent[0], parent[1] = 1, 0

    assert new_pairs(read_scene(recording(spans=replace(spans, parent=parent)))).strength


def slow_pairs(book: Book) -> Counter[tuple[str, str, int, int, int]]:
    """Every pair of every span, by hand: owner, operation, codes and trace."""
    found: set[tuple[str, str, int, int, int]] = set()
    names: dict[tuple[str, str], int] = {}
    for number, row in enumerate(book.rows):
        names.setdefault((row[2].name, row[3]), 0)
        events = [
            (child[4], (child[2].name, child[3])) for child in book.rows if child[1] == number
        ]
        events.sort()
        sequence: list[object] = ["start"]
        for _, event in events:
            if sequence[-1] != event:
                sequence.append(event)
        sequence.append("failed" if row[6] else "end")
        for a, b in pairwise(sequence):
            found.add((row[2].name, row[3], hash(a), hash(b), row[0]))
    return Counter((who, what, a, b, 0) for who, what, a, b, _ in found)


def fast_pairs(pairs: Pairs, traces: Traces) -> Counter[tuple[str, str, int, int, int]]:
    spans = traces.spans

    def name(code: int) -> object:
        if code in (START, END, FAILED_END):
            return {START: "start", END: "end", FAILED_END: "failed"}[code]
        entity, operation = pairs.events.children[code - 3]
        return spans.entities[entity].name, spans.operations[operation]

    found: Counter[tuple[str, str, int, int, int]] = Counter()
    for pair in pairs.pair.tolist():
        operation = pairs.operation[pair]
        who = spans.entities[pairs.owner[operation]].name
        what = spans.operations[pairs.called[operation]]
        codes = (name(int(pairs.first[pair])), name(int(pairs.second[pair])))
        found[who, what, hash(codes[0]), hash(codes[1]), 0] += 1
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_pairs_are_those_that_one_counts_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    book = Book()
    for number in range(5):
        at_s = ALARM_S - 200.0 + 80.0 * number
        rows = [book.span(FRONT, "root", at_s, 1.0)]
        for step in range(int(rng.integers(0, 8))):
            parent = rows[int(rng.integers(0, len(rows)))]
            who = (FRONT, CART, STOCK)[int(rng.integers(0, 3))]
            rows.append(
                book.span(
                    who,
                    f"op{int(rng.integers(0, 2))}",
                    at_s + 0.01 * (step + 1),
                    0.005,
                    parent=parent,
                    failed=bool(rng.integers(0, 2)),
                )
            )
    scene = scene_of(book, logs=False)
    traces = traces_of(scene)

    assert fast_pairs(read_pairs(traces, None), traces) == slow_pairs(book)


@settings(max_examples=60, deadline=None)
@given(*[st.integers(0, 50)] * 4)
def test_the_score_of_a_rise_is_finite_and_never_above_g(a: int, b: int, c: int, d: int) -> None:
    k0, n0, k1, n1 = min(a, b), max(a, b), min(c, d), max(c, d)
    g, score = compare(*(np.array([float(one)]) for one in (k0, n0, k1, n1)))

    assert np.isfinite(g[0])
    assert 0.0 <= score[0] <= g[0] + 1e-9
    if n1 == 0 or n0 == 0 or k1 / n1 <= k0 / n0:
        assert score[0] == 0.0


def test_a_rate_counts_traces_on_both_sides_of_the_onset() -> None:
    scene = scene_of(requests(early_return), logs=False)
    traces = traces_of(scene)
    rating = rate(traces, read_pairs(traces, None), ALARM_S)

    assert rating.before_ran.max() == 40.0
    assert rating.after_ran.max() == 20.0
