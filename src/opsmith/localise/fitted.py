"""Fitted: what past incidents taught, as one value and as JSON text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from opsmith.errors import BadInput
from opsmith.localise import base_rates, ranker
from opsmith.localise.base_rates import BaseRates
from opsmith.localise.ranker import Ranker


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """How surprising alerts are, and how to rank."""

    base_rates: BaseRates = field(default_factory=BaseRates)
    ranker: Ranker = field(default_factory=Ranker)


def to_json(fitted: Fitted) -> str:
    """Both parts as JSON text."""
    rates = json.loads(base_rates.to_json(fitted.base_rates))
    weights = json.loads(ranker.to_json(fitted.ranker))
    return json.dumps({"base_rates": rates, "ranker": weights}, sort_keys=True)


def from_json(text: str) -> Fitted:
    """Read what `to_json` wrote. Raises `BadInput` when the text is anything else."""
    try:
        parts = json.loads(text)
        rates, weights = json.dumps(parts["base_rates"]), json.dumps(parts["ranker"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"These are no fitted weights of opsmith: {error!r}.") from error
    return Fitted(base_rates=base_rates.from_json(rates), ranker=ranker.from_json(weights))
