"""The intent seam: which intent a sentence asks for, with a probability that can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a model thinks of one sentence.

    intent: the most probable label; None when the model abstains.
    probability: calibrated, of the most probable label, also when it abstains.
    ranked: up to three labels with their probabilities, best first.
    version: of the weights that decided.
    """

    intent: str | None
    probability: float
    ranked: tuple[tuple[str, float], ...]
    version: str


class Intents(Protocol):
    """Reads the intent of sentences in any language its encoder knows.

    One call is answered by one version of the weights, whatever is swapped in meanwhile.
    It has no say in risk, names or order; what it says is an opinion that rules may overrule.
    """

    def opinions(self, texts: Sequence[str]) -> tuple[Opinion, ...]:
        """One opinion a text, in order. Raises `HouseError` when no weights can serve."""
