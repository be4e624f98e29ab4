"""Measure intent recognition: accuracy with and without the adapter, and swaps under load.

    python bench/intent.py --data clinc150.jsonl [--each N]     accuracy, trained on `train`
    python bench/intent.py --swaps 10 [--callers 4]             swaps while callers ask

The data holds {"text", "intent", "split"} lines; `val` is measured, or `test` where there is one,
and sentences of the intent `oos` are left out of both. LoRA inside the layers of an encoder is in
bench/intent_layers.py, which needs torch.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np

from opsmith.backends.intent.encoder import encode
from opsmith.backends.intent.serving import Canary, ServedIntents
from opsmith.backends.intent.shelf import Shelf
from opsmith.backends.intent.train import Lesson, train
from opsmith.numerics.lowrank import fit, fit_head, logits
from opsmith.wiring.intent import read_lessons

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "src" / "opsmith" / "backends" / "intent" / "shipped"
LESSONS = ROOT / "bench" / "parse_sets" / "lessons.jsonl"
POLL_S = 0.5
NUMBERS = count()
QUESTIONS = ["show me the p99 latency of checkout in the last hour", "购物车最近一小时的错误率"]


def main() -> None:
    """Measure and print."""
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--data", type=Path)
    ap.add_argument("--each", type=int, default=0, help="sentences an intent, 0 for all")
    ap.add_argument("--swaps", type=int, default=0)
    ap.add_argument("--callers", type=int, default=1)
    args = ap.parse_args()
    if args.data:
        accuracy(args.data, args.each)
    if args.swaps:
        swapping(args.swaps, args.callers)


def accuracy(data: Path, each: int) -> None:
    """Train on `train` with the head alone and with the adapter; measure on the rest."""
    rows = [json.loads(line) for line in data.read_text("utf-8").splitlines() if line.strip()]
    splits = {row["split"] for row in rows}
    held = "test" if "test" in splits else "val"
    learned, kept = part(rows, "train", each), part(rows, held, 0)
    labels = sorted({intent for _, intent in learned})
    x, z = encode([text for text, _ in learned]), encode([text for text, _ in kept])
    y = np.array([labels.index(intent) for _, intent in learned])
    want = np.array([labels.index(intent) for _, intent in kept])
    print(f"{len(learned)} sentences of {len(labels)} intents, measured on {len(kept)} of {held}")
    for name, method in (("head on frozen vectors", fit_head), ("with the adapter", fit)):
        start = time.process_time()
        fitted = method(x, y, classes=len(labels), rank=8, rng=np.random.default_rng(0))
        spent = time.process_time() - start
        right = (logits(z, fitted).argmax(axis=1) == want).mean()
        print(f"{name:<24} {right:.4f}   fitted in {spent:.0f} processor seconds")


def part(rows: list[dict], split: str, each: int) -> list[tuple[str, str]]:
    """The sentences of one split, the first `each` of an intent."""
    counts: dict[str, int] = {}
    found = []
    for row in rows:
        intent = row["intent"]
        if row["split"] != split or intent == "oos" or (each and counts.get(intent, 0) >= each):
            continue
        counts[intent] = counts.get(intent, 0) + 1
        found.append((row["text"], intent))
    return found


def swapping(swaps: int, callers: int) -> None:
    """Swap adapters while callers ask: failures, what a swap adds, how soon it serves."""
    canary = read_lessons(SHIPPED / "canary.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder), SHIPPED)
        serving = ServedIntents(shelf, Canary(lambda: canary))
        serving.opinions(QUESTIONS)
        lessons = [
            *read_lessons(LESSONS),
            *canary,
            *(Lesson(one.text, one.intent) for one in canary),
        ]
        shelf.add("other", train(lessons, precision=0.95, notes="", rng=np.random.default_rng(1)))
        told(*run(shelf, serving, swaps, callers))


def run(
    shelf: Shelf, serving: ServedIntents, swaps: int, callers: int
) -> tuple[list[tuple[float, float, str]], list[str], list[tuple[float, float]]]:
    """Requests as (start, seconds, version), failures, and swaps as (change, served)."""
    requests: list[tuple[float, float, str]] = []
    failures: list[str] = []
    stop = threading.Event()
    asking = [
        threading.Thread(target=ask, args=(serving, requests, failures, stop))
        for _ in range(callers)
    ]
    threads = [*asking, threading.Thread(target=poll, args=(serving, stop))]
    for thread in threads:
        thread.start()
    time.sleep(2)
    changes = [swap(shelf, requests, to_other=place % 2 == 0) for place in range(swaps)]
    stop.set()
    for thread in threads:
        thread.join()
    return requests, failures, changes


def ask(
    serving: ServedIntents,
    requests: list[tuple[float, float, str]],
    failures: list[str],
    stop: threading.Event,
) -> None:
    """Ask one question after another, none of them twice: the last texts are remembered."""
    while not stop.is_set():
        text = f"{QUESTIONS[0]} {next(NUMBERS)}"
        start = time.perf_counter()
        try:
            (opinion,) = serving.opinions([text])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            failures.append(repr(error))
            continue
        requests.append((start, time.perf_counter() - start, opinion.version))


def poll(serving: ServedIntents, stop: threading.Event) -> None:
    """Look for another adapter as a serving process does."""
    while not stop.is_set():
        serving.refresh()
        stop.wait(POLL_S)


def swap(
    shelf: Shelf, requests: list[tuple[float, float, str]], *, to_other: bool
) -> tuple[float, float]:
    """Change what is in use; gives when, and when the first answer of it was there."""
    before, changed = requests[-1][2], time.perf_counter()
    if to_other:
        shelf.use("other")
    else:
        shelf.rollback()
    while requests[-1][2] == before and time.perf_counter() < changed + 5:
        time.sleep(0.005)
    served = requests[-1][0] + requests[-1][1]
    time.sleep(0.7)
    return changed, served


def told(
    requests: list[tuple[float, float, str]],
    failures: list[str],
    changes: list[tuple[float, float]],
) -> None:
    """Print what was measured."""
    near, far = [], []
    for start, spent, _ in requests:
        swapped = any(a - spent <= start <= b for a, b in changes)
        (near if swapped else far).append(1e3 * spent)
    served = sorted(b - a for a, b in changes)
    print(f"requests {len(requests)}, failed {len(failures)}, swaps {len(changes)}")
    for name, values in (("between swaps", far), ("from change to served", near)):
        p50, p99 = np.percentile(values, [50, 99])
        print(f"{name:<24} p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(values):.1f} ms")
    middle = served[len(served) // 2]
    print(f"served after the change  median {middle:.2f} s, worst {served[-1]:.2f} s")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
