import json
from pathlib import Path

import pytest

from opsmith.errors import BadInput
from opsmith.flows import refit
from opsmith.flows.refit import Lesson, relearn
from opsmith.localise.fitted import Fitted
from opsmith.nouns.entity import Entity
from opsmith.wiring.weights import shipped_weights

EXAMPLES = Path(__file__).parents[2] / "examples"


def lessons() -> list[Lesson]:
    """The recorded incidents with the cause that was injected."""
    lines = (EXAMPLES / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Lesson(
            name=told["incident"],
            bundle=EXAMPLES / "incidents" / told["incident"],
            causes=frozenset((Entity.parse(told["entity"]),)),
        )
        for told in map(json.loads, lines)
    ]


@pytest.fixture(scope="module")
def three() -> list[Lesson]:
    found = lessons()[:3]
    assert len(found) == 3
    return found


def test_confirmed_incidents_teach_the_ranker(three: list[Lesson]) -> None:
    found = relearn(three, shipped=shipped_weights(), current=shipped_weights())

    assert found.fitted is not None
    assert found.fitted.base_rates.incidents == 3
    assert "learned from 3" in found.why


def test_weights_that_would_rank_worse_are_refused(
    three: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Fitted()
    monkeypatch.setattr(refit, "_learned", lambda *_: blind)
    marks = iter([0.2, 0.9])
    monkeypatch.setattr(refit, "_score", lambda *_: next(marks))

    found = relearn(three, shipped=shipped_weights(), current=shipped_weights())

    assert found.fitted is None
    assert "worse than the weights in use (0.20 against 0.90)" in found.why


def test_weights_that_know_only_what_they_have_seen_are_refused(
    three: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit, "_unseen", lambda *_: 0.1)

    found = relearn(three, shipped=shipped_weights(), current=shipped_weights())

    assert found.fitted is None
    assert "has not seen" in found.why


def test_a_wrong_answer_alone_teaches_nothing(three: list[Lesson]) -> None:
    only = Lesson(
        name="x", bundle=three[0].bundle, causes=frozenset(), wrong=frozenset(three[0].causes)
    )

    with pytest.raises(BadInput, match="nothing to learn"):
        relearn([only], shipped=shipped_weights(), current=shipped_weights())
