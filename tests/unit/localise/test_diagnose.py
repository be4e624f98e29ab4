"""Localise as a whole: the answer, its status, and that input order is nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_systems import (
    ALARM_S,
    CART,
    FRONT,
    PAY,
    STOCK,
    Book,
    alarm,
    call,
    calls,
    line,
    moment,
    recording,
    requests,
    shuffled,
)

from opsmith.localise import localise
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import PathWeights, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Missing, Recording
from opsmith.nouns.series import Aspect


def failing_stock(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
    root = book.span(FRONT, "GET /", at_s, 0.5 if ill else 0.1, failed=ill)
    cart = call(book, root, CART, at_s, inside_s=0.4 if ill else 0.05, failed=ill)
    stock = call(book, cart, STOCK, at_s, inside_s=0.3 if ill else 0.01, failed=ill)
    book.log(stock, "ERROR boom" if ill else "INFO ok", at_s + 0.001, severity=17 if ill else 9)


def whole() -> Recording:
    book = requests(failing_stock)
    return recording(
        spans=book.spans(),
        logs=book.logs(),
        series=(
            line(STOCK, Aspect.CPU, 0.2, 0.2),
            line(FRONT, Aspect.ERRORS, 0.0, 0.9),
            line(PAY, Aspect.CPU, 0.2, 0.21),
        ),
        alerts=(alarm(FRONT, Aspect.ERRORS),),
        alerting=(FRONT,),
        missing=(Missing(part="changes", what="none"),),
    )


def test_the_cause_comes_first_with_kind_path_onset_and_what_was_ruled_out() -> None:
    found = localise(whole())

    assert found.status is Status.DIAGNOSED
    assert found.causes[0].entity == STOCK
    assert found.causes[0].kind is CauseKind.CODE_EXCEPTION
    assert found.path is not None
    assert found.path.entities == (STOCK, CART, FRONT)
    assert found.onset is not None
    assert abs(found.onset.timestamp() - ALARM_S) <= 61.0
    assert {one.entity for one in found.ruled_out} == {CART, FRONT}
    why = {one.entity: one.why for one in found.ruled_out}
    assert "explained by its callee service:stock" in why[CART]
    assert found.missing == whole().missing
    assert sum(one.confidence for one in found.causes) == pytest.approx(1.0)


def test_the_additive_rule_is_passed_on() -> None:
    found = localise(whole(), path_weights=PathWeights.ADDITIVE)

    assert found.path is not None
    assert found.path.cost is not None


def test_without_evidence_it_abstains_and_still_ranks() -> None:
    case = replace(whole(), spans=None, logs=None, series=())
    found = localise(case)

    assert found.status is Status.INCONCLUSIVE
    assert found.reasons
    assert found.causes


def test_nothing_ill_is_healthy() -> None:
    case = recording(series=tuple(line(one, Aspect.CPU, 0.2, 0.2) for one in (FRONT, CART)))
    found = localise(case)

    assert found.status is Status.HEALTHY
    assert found.path is None
    assert found.reasons


def test_an_empty_recording_blames_nobody() -> None:
    found = localise(Recording(name="empty"))

    assert found.causes == ()
    assert found.path is None
    assert found.onset is None
    assert found.status is Status.INCONCLUSIVE


def test_only_candidates_are_ranked() -> None:
    found = localise(replace(whole(), candidates=(CART, PAY, CART)))

    assert {one.entity for one in found.causes} == {CART, PAY}


def test_a_cause_that_the_symptoms_do_not_explain_is_told_to_be_weaker() -> None:
    case = recording(
        topology=calls((FRONT, CART), (FRONT, PAY)),
        series=(
            line(FRONT, Aspect.LATENCY, 0.1, 0.5),
            line(CART, Aspect.LATENCY, 0.1, 0.9, wobble=0.0),
            line(PAY, Aspect.LATENCY, 0.1, 0.5),
        ),
        alerts=(alarm(FRONT),),
        alerting=(FRONT,),
    )
    found = localise(case)

    assert found.causes[0].entity == CART
    assert any("its evidence is weaker" in one.why for one in found.ruled_out)


def test_a_front_that_suffers_from_an_edge_is_ruled_out_as_on_the_path() -> None:
    def write(book: Book, at_s: float, ill: bool) -> None:  # noqa: FBT001 - as requests calls
        root = book.span(FRONT, "GET /", at_s, 9.0 if ill else 0.1)
        served = call(book, root, CART, at_s, gap_s=8.0 if ill else 0.001)
        call(book, served, STOCK, at_s)

    found = localise(recording(spans=requests(write).spans(), alerting=(FRONT,)))

    assert found.causes[0].entity == Entity.edge("front", "cart")
    assert any("lies on the path" in one.why for one in found.ruled_out)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_the_input_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = replace(whole(), logs=None)
    assert case.spans is not None
    mixed = replace(
        case,
        spans=shuffled(case.spans, rng),
        series=tuple(case.series[place] for place in rng.permutation(len(case.series))),
    )

    one, other = localise(case), localise(mixed)

    assert [c.entity for c in one.causes] == [c.entity for c in other.causes]
    assert [c.score for c in one.causes] == pytest.approx([c.score for c in other.causes])
    assert one.path == other.path


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_whatever_is_recorded_the_figures_are_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [Entity.service(f"s{number}") for number in range(6)]
    values = (np.nan, np.inf, -np.inf, 0.0, 1e12, -1.0, 0.5)
    series = tuple(
        replace(
            line(names[int(rng.integers(0, 6))], aspect, 0.1, 0.2),
            values=rng.choice(values, 72),
        )
        for aspect in (Aspect.LATENCY, Aspect.ERRORS, Aspect.CPU, Aspect.TRAFFIC)
    )
    pairs = [(names[a], names[b]) for a, b in rng.integers(0, 6, (9, 2)).tolist()]
    book = Book()
    for _ in range(30):
        at_s = float(rng.uniform(ALARM_S - 400, ALARM_S + 100))
        root = book.span(names[int(rng.integers(0, 6))], "op", at_s, float(rng.choice(values)))
        call(book, root, names[int(rng.integers(0, 6))], at_s, gap_s=float(rng.uniform(-1, 1)))
    case = recording(
        series=series,
        spans=book.spans(),
        topology=calls(*pairs),
        alerting=(names[0], Entity.service("unknown")),
    )

    found = localise(case)

    for cause in found.causes:
        assert np.isfinite(cause.score)
        assert 0.0 <= cause.confidence <= 1.0
        for fact in cause.evidence:
            assert np.isfinite(fact.strength)
            assert "nan" not in fact.claim
    assert found.path is None or np.isfinite(found.path.bottleneck)


def test_an_onset_is_that_of_strong_evidence_alone() -> None:
    case = recording(series=(line(CART, Aspect.CPU, 0.1, 0.9), line(FRONT, Aspect.CPU, 0.1, 0.1)))

    found = localise(case)

    assert found.onset == moment(ALARM_S)
