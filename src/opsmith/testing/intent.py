"""Intents from a script, and the promises that every source of opinions keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opsmith.seams.intent import Intents, Opinion


class ScriptedIntents:
    """Says what it was told to say of each text, and abstains on any other."""

    def __init__(self, says: Mapping[str, tuple[str, float]]) -> None:
        self._says = dict(says)
        self.asked: list[str] = []

    def opinions(self, texts: Sequence[str]) -> tuple[Opinion, ...]:
        self.asked.extend(texts)
        return tuple(self._opinion(text) for text in texts)

    def _opinion(self, text: str) -> Opinion:
        if text not in self._says:
            unsure = (("query_metric", 0.1),)
            return Opinion(intent=None, probability=0.1, ranked=unsure, version="script")
        intent, probability = self._says[text]
        ranked = ((intent, probability),)
        return Opinion(intent=intent, probability=probability, ranked=ranked, version="script")


def check_each_text_gets_one_opinion_in_order(model: Intents) -> None:
    one, other = model.opinions(["restart cart"]), model.opinions(["how is the weather"])

    both = model.opinions(["restart cart", "how is the weather"])

    assert [(o.intent, round(o.probability, 2)) for o in both] == [
        (o.intent, round(o.probability, 2)) for o in (*one, *other)
    ]


def check_no_text_gets_no_opinion(model: Intents) -> None:
    assert model.opinions([]) == ()


def check_an_opinion_is_a_probability_of_its_label(model: Intents) -> None:
    for opinion in model.opinions(["restart cart", "", "购物车的 cpu", "x" * 10_000, "a\x00b"]):
        label, probability = opinion.ranked[0]
        assert 0 <= probability <= 1
        assert opinion.probability == probability
        assert opinion.intent in {None, label}
        assert opinion.version


CHECKS = (
    check_each_text_gets_one_opinion_in_order,
    check_no_text_gets_no_opinion,
    check_an_opinion_is_a_probability_of_its_label,
)
