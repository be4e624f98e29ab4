"""Measure swaps of a LoRA adapter of an embedded model while callers ask.

    python bench/model_swap.py --model FILE.gguf --adapter FILE.gguf [--swaps 8] [--callers 2]

Callers ask for eight words one after another; the adapter is put into use and taken back in turn,
as `opsmith model use` does, and taken up as `opsmith up` does.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np

from opsmith.nouns.session import Principal
from opsmith.settings import Settings
from opsmith.wiring.llm import Asked, Inference
from opsmith.wiring.model_choice import Choice, keep

ASKED = Asked(prompt="Is a service with 90% errors healthy?", max_tokens=8)
WHO = Principal(name="bench")
# A request as (asked at, seconds, model that answered); monotonic seconds.
Heard = list[tuple[float, float, str]]


async def ask(inference: Inference, heard: Heard, failures: list[str]) -> None:
    """Ask until cancelled."""
    while True:
        began = time.monotonic()
        try:
            found = await inference.infer(ASKED, principal=WHO)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            failures.append(repr(error))
            continue
        heard.append((began, time.monotonic() - began, str(found["model"])))


async def look(inference: Inference, every_s: float) -> None:
    """Take up choices as a serving process does."""
    while True:
        await inference.look()
        await asyncio.sleep(every_s)


async def measured(args: argparse.Namespace, settings: Settings) -> None:
    """Run the callers and the swaps, and print."""
    bare = Choice(url=str(args.model.resolve()))
    ours = Choice(url=bare.url, adapter=str(args.adapter.resolve()))
    keep(settings, bare)
    heard: Heard = []
    failures: list[str] = []
    changes: list[tuple[float, float]] = []
    async with aclosing(Inference(settings)) as inference:
        await inference.infer(ASKED, principal=WHO)
        tasks = [asyncio.create_task(ask(inference, heard, failures)) for _ in range(args.callers)]
        tasks.append(asyncio.create_task(look(inference, settings.hot_reload_interval_ms / 1e3)))
        await asyncio.sleep(3)
        for number in range(args.swaps):
            before, began = heard[-1][2], time.monotonic()
            keep(settings, bare if number % 2 else ours)
            while heard[-1][2] == before and time.monotonic() < began + 60:  # noqa: ASYNC110 - other tasks are watched
                await asyncio.sleep(0.005)
            changes.append((began, time.monotonic()))
            await asyncio.sleep(2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told(heard, failures, changes)


def told(heard: Heard, failures: list[str], changes: list[tuple[float, float]]) -> None:
    """Print what was measured."""
    near = [s for at, s, _ in heard if any(a - s <= at <= b for a, b in changes)]
    far = [s for at, s, _ in heard if not any(a - s <= at <= b for a, b in changes)]
    print(f"prompts {len(heard)}, failed {len(failures)}, swaps {len(changes)}")
    for name, values in (("between swaps", far), ("from change to served", near)):
        p50, p99 = np.percentile(np.array(values) * 1e3, [50, 99])
        print(f"{name:<24} p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    served = [b - a for a, b in changes]
    print(f"served after the change  median {np.median(served):.2f} s, worst {max(served):.2f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--swaps", type=int, default=8)
    parser.add_argument("--callers", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), llm_context=1024, llm_at_once=args.callers)
        asyncio.run(measured(args, settings))


if __name__ == "__main__":
    main()
