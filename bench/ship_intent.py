"""Fit the intent adapter that is shipped: `python bench/ship_intent.py OUT`, a new folder.

Lessons of one hand are alike, and a part drawn at random makes the model too sure of itself.
Here whole sets are left out in turn, those that parse_sets/lessons.jsonl names under `set`: what
is answered then sets the temperature, and the figures are printed and kept in the manifest.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from opsmith.backends.intent.adapter import Adapter, save
from opsmith.backends.intent.encoder import ENCODER_ID, encode
from opsmith.backends.intent.train import RANK
from opsmith.numerics.lowrank import LowRank, best_temperature, fit, logits

LESSONS = Path(__file__).parent / "parse_sets" / "lessons.jsonl"
# Below it nobody is served an answer where rules found nothing: there six of eight were wrong.
THRESHOLD = 0.615
NOTES = (
    "Sentences written for opsmith (Apache-2.0) and the development part of "
    "HolmesGPT's questions (Apache-2.0)."
)


def main() -> None:
    """Leave each set out, calibrate, fit all, and write."""
    rows = [json.loads(line) for line in LESSONS.read_text("utf-8").splitlines()]
    labels = tuple(sorted({row["intent"] for row in rows}))
    of = np.array([row.get("set", "") for row in rows])
    x = encode([row["text"] for row in rows])
    y = np.array([labels.index(row["intent"]) for row in rows])
    said = np.zeros((len(rows), len(labels)))
    for name in sorted(set(of) - {""}):
        out = of == name
        said[out] = logits(x[out], fitted(x[~out], y[~out], len(labels)))
        right = (said[out].argmax(axis=1) == y[out]).mean()
        print(f"{name}  {out.sum()} unseen, {right:.3f} right", flush=True)
    unseen = of != ""
    temperature = best_temperature(said[unseen], y[unseen])
    whole = replace(fitted(x, y, len(labels)), temperature=temperature)
    chances = np.exp(said[unseen] / temperature)
    sure = (chances / chances.sum(axis=1, keepdims=True)).max(axis=1) >= THRESHOLD
    right = said[unseen].argmax(axis=1) == y[unseen]
    scores = {
        "held_out_accuracy": float(right.mean()),
        "held_out_answered": float(sure.mean()),
        "held_out_right_when_answered": float(right[sure].mean()),
        "sentences": float(len(rows)),
    }
    print(f"temperature {temperature:.3f}", scores)
    made = Adapter(
        encoder=ENCODER_ID,
        labels=labels,
        fitted=whole,
        threshold=THRESHOLD,
        scores=scores,
        notes=NOTES,
    )
    save(made, Path(sys.argv[1]))


def fitted(x: np.ndarray, y: np.ndarray, classes: int) -> LowRank:
    """An adapter and its head, always from the same draw."""
    return fit(x, y, classes=classes, rank=RANK, rng=np.random.default_rng(2026))


if __name__ == "__main__":
    main()
