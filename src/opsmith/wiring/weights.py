"""The weights that rank causes: shipped with opsmith, or learned from a user's own incidents."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from opsmith.errors import BadInput
from opsmith.localise.fitted import Fitted, from_json, to_json
from opsmith.nouns.weights import WeightsCard
from opsmith.settings import Settings

RANKER_FILE = "ranker.json"


def weights(settings: Settings) -> Fitted:
    """The weights in use: the user's own when there are any, else the shipped ones.

    Raises `BadInput` when the user's own cannot be read.
    """
    own = settings.data_dir / RANKER_FILE
    if not own.is_file():
        return shipped_weights()
    try:
        return from_json(own.read_text(encoding="utf-8"))
    except (BadInput, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{own}: {error}", hint="Fit again, or `opsmith ranker reset`.") from error


def shipped_weights() -> Fitted:
    """The weights that come with opsmith."""
    return from_json((files("opsmith.localise") / "shipped.json").read_text(encoding="utf-8"))


def weights_card(settings: Settings) -> WeightsCard:
    """What there is to know about the weights in use."""
    return _card(weights(settings))


def _card(fitted: Fitted) -> WeightsCard:
    ranker = fitted.ranker
    return WeightsCard(
        origin=ranker.origin,
        incidents=fitted.base_rates.incidents,
        cases=len(fitted.base_rates.cases),
        channels={str(name): weight for name, weight in ranker.channels.items() if weight != 1.0},
        trees=sum(len(forest.roots) for forest in ranker.forests),
        columns=len({name for forest in ranker.forests for name in forest.columns}),
        temperature=ranker.temperature,
    )


def fit_weights(bundles: Path, truth: Path, settings: Settings) -> WeightsCard:
    """Refit on solved incidents, keep the weights. Raises `BadInput` when nothing is learned."""
    # LightGBM takes a second to load; only fitting needs it.
    from opsmith.flows.refit import refit_from

    refitted = refit_from(bundles, truth, shipped_weights())
    keep_weights(refitted.fitted, settings)
    return replace(_card(refitted.fitted), used=refitted.used, unused=refitted.unused)


def keep_weights(fitted: Fitted, settings: Settings) -> None:
    """Make these the weights in use, whole or not at all."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    own = settings.data_dir / RANKER_FILE
    fresh = own.with_suffix(".new")
    fresh.write_text(to_json(fitted) + "\n", encoding="utf-8")
    fresh.replace(own)


def reset_weights(settings: Settings) -> bool:
    """Forget the user's own weights. Says whether there were any."""
    own = settings.data_dir / RANKER_FILE
    there = own.is_file()
    own.unlink(missing_ok=True)
    return there
