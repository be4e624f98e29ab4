"""Find holes in reading: sentences of a grammar whose tasks are known.

    python bench/paraphrase.py [--each N] [--seed S] [--errors N] [--intent NAME]
        [--lessons OUT.jsonl] [--rules-only]

Every way of asking in parse_sets/paraphrases.txt is filled with N draws of names, times and
numbers. `read right` is the share of them whose one task and slots come out; `steady` the share
of ways of asking that are read alike (right or wrong) whatever the names and the politeness
around them, which no list of words decides. With --lessons the sentences are written with their
intents, to train an adapter on. Whoever mends on these sentences measures nothing by them any
more: they are a check that grows, not an estimate.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

from parse import SHIPPED, fault, opinions

from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.parse.showing import as_json

HERE = Path(__file__).parent / "parse_sets"
SPOKEN_ZH = {
    "order-service": "订单服务", "payment-service": "支付服务", "gateway": "网关",
    "user-center": "用户中心", "cart": "购物车", "checkout": "结算服务", "inventory": "库存服务",
    "auth": "认证服务", "search-api": "搜索服务", "recommendation": "推荐服务",
    "notification": "通知服务", "billing": "计费服务",
}  # fmt: skip
ENVS = {"prod": ("prod", "生产环境"), "staging": ("staging", "预发"), "dev": ("dev", "开发环境")}
METRICS = {
    "cpu_usage": ("cpu", " CPU "), "memory_usage": ("memory usage", "内存使用率"),
    "error_rate": ("error rate", "错误率"), "latency_p99": ("p99 latency", " P99 延迟"),
    "qps": ("qps", " QPS "), "connection_count": ("connection count", "连接数"),
}  # fmt: skip
HOST_METRICS = {
    "cpu_usage": ("cpu", " CPU "), "memory_usage": ("memory usage", "内存使用率"),
    "disk_usage": ("disk usage", "磁盘使用率"), "load_average": ("load average", "负载"),
}  # fmt: skip
WINDOWS = {
    "30m": ("the last 30 minutes", "最近半小时"), "6h": ("the past six hours", "过去六小时"),
    "1d": ("the last day", "近一天"), "7d": ("the past week", "最近一周"),
    "yesterday": ("yesterday", "昨天"), "today": ("today", "今天"),
}  # fmt: skip
LENGTHS = {
    "30m": ("30 minutes", "半小时"), "2h": ("two hours", "两小时"), "1h": ("an hour", "一个小时"),
    "90m": ("90 min", "90 分钟"),
}  # fmt: skip
AHEAD = {"12h": ("12 hours", "12 小时"), "7d": ("a week", "一周"), "14d": ("two weeks", "两周"),
         "3d": ("3 days", "三天")}  # fmt: skip
AGES = {"7d": ("7 days", "7 天"), "14d": ("two weeks", "两周"), "30d": ("a month", "一个月")}
LIMITS = {">80%": ("above 80%", "超过 80%"), ">5000": ("over 5000", "超过 5000")}
PLAIN = {
    "host": ["web-03", "db-primary-01", "node-17", "es-data-02"],
    "grp": ["web", "cache", "ingress"],
    "ns": ["prod-order", "payments"],
    "ver": ["v2.3.1", "v1.8.0"],
    "alert": ["HighErrorRate", "KubePodCrashLooping", "ALT-20417"],
    "cmd": ["df -h", "uptime", "systemctl status nginx"],
    "kw": ["connection reset", "timeout exceeded"],
    "path": ["/etc/nginx/nginx.conf", "/var/log/app"],
    "n": ["3", "5", "12"],
}
SLOT = {
    "svc": "service", "host": "host", "grp": "host_group", "env": "env", "ns": "namespace",
    "metric": "metric", "win": "window", "now": "window", "hor": "horizon", "dur": "duration",
    "age": "older_than", "thr": "threshold", "ver": "revision", "alert": "alert",
    "cmd": "command", "kw": "keyword", "path": "path",
}  # fmt: skip
COURTESIES = {
    "en": ["{}", "please {}", "hey, {}", "{} thanks", "could you {}", "{}, quickly"],
    "zh": ["{}", "麻烦{}", "帮我{}", "{}，谢谢", "请{}", "那个,{}"],
}
ASKS = re.compile(
    r"^(?:what|who|where|when|why|how|which|is|are|was|did|does|do|has|will|can|could)\b|\?"
)


def main() -> None:
    """Fill, read, and print."""
    args = arguments()
    rng = random.Random(args.seed)  # noqa: S311 - draws sentences, no secrets
    ways = [line for line in lines() if args.intent in ("", line[0])]
    inventory = args.inventory or HERE / "inventory.json"
    model = None if args.rules_only else opinions(SHIPPED)
    reader = SentenceReader(load_catalogue(inventory), builtin_schemas(), intents=model)
    tally: Counter[str] = Counter()
    wrong: dict[str, list[str]] = defaultdict(list)
    lessons = []
    for intent, language, sentence, extra in ways:
        outcomes = set()
        for _ in range(args.each):
            row = filled(intent, language, sentence, extra, rng)
            lessons.append({"text": row["text"], "intent": intent})
            one = as_json(reader.read(row["text"])[0])
            why = fault(row, refused(one))
            tally[language] += 1
            tally[f"right {language}"] += not why
            tally["low"] += low(intent, one)
            outcomes.add(not why)
            if why:
                wrong[f"{intent} {language} {sentence}"].append(f"{row['text']}\n      {why}")
        tally["steady"] += len(outcomes) == 1
    show(tally, wrong, ways=len(ways), errors=args.errors)
    if args.lessons:
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lessons)
        args.lessons.write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--each", type=int, default=6)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--errors", type=int, default=0)
    ap.add_argument("--intent", default="")
    ap.add_argument("--inventory", type=Path)
    ap.add_argument("--lessons", type=Path)
    ap.add_argument("--rules-only", action="store_true")
    return ap.parse_args()


def lines() -> list[tuple[str, str, str, str]]:
    """The ways of asking: intent, language, sentence, slots that the blanks do not say."""
    found = []
    for line in (HERE / "paraphrases.txt").read_text("utf-8").splitlines():
        parts = [part.strip() for part in line.split("|")]
        if line.strip() and not line.startswith("#"):
            found.append((parts[0], parts[1], parts[2], parts[3] if parts[3:] else ""))
    return found


def filled(intent: str, language: str, sentence: str, extra: str, rng: random.Random) -> dict:
    """One sentence with drawn values, politely or not, and the task it asks for."""
    zh = language == "zh"
    slots: dict[str, object] = {}
    drawn: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        blank = match[1]
        held, said = draw(blank, sentence, zh=zh, rng=rng)
        drawn[blank] = held
        if blank in SLOT:
            slots[SLOT[blank]] = held
        return said

    text = re.sub(r"\{(\w+)\}", value, sentence)
    for name, _, told in (part.partition("=") for part in extra.split()):
        said = re.sub(r"\{(\w+)\}", lambda m: drawn[m[1]], told)
        slots[name] = read_extra(name, said)
    polite = COURTESIES[language] if zh or not ASKS.search(sentence) else ["{}"]
    text = rng.choice(polite).format(text)
    optional = ["symptom"] + [n for n in ("window",) if "{now}" in sentence]
    task = {"intent": intent, "slots": slots, "depends_on": [], "optional": optional}
    if "{now}" in sentence:
        slots["window"] = "now"
    return {"text": text, "lang": language, "outcome": "execute", "tasks": [task], "risk": "read"}


def read_extra(name: str, said: str) -> object:
    """The value of a slot as the file of sentences writes it."""
    if name == "targets":
        return said.split(",")
    if re.fullmatch(r"-?\d+", said):
        return int(said)
    return True if said == "True" else said


def draw(blank: str, sentence: str, *, zh: bool, rng: random.Random) -> tuple[str, str]:
    """A value for a blank: as it is held, and as it is said."""
    if blank == "svc":
        held = rng.choice(sorted(SPOKEN_ZH))
        return held, SPOKEN_ZH[held] if zh and rng.random() < 0.7 else f" {held} " if zh else held
    if blank == "now":
        return "now", "现在" if zh else "right now"
    table = {
        "env": ENVS, "metric": METRICS if "{svc}" in sentence else HOST_METRICS, "win": WINDOWS,
        "dur": LENGTHS, "hor": AHEAD, "age": AGES, "thr": LIMITS,
    }.get(blank)  # fmt: skip
    if table is None:
        held = rng.choice(PLAIN[blank])
        return held, f"{held} " if zh and blank in {"host", "alert"} else held
    held = rng.choice(sorted(table))
    return held, table[held][zh].strip() if not zh else table[held][zh]


def refused(one: dict) -> dict:
    """A refusal as one task, as the scorer counts it."""
    for task in one.get("tasks", []):
        # What is wrong with it may be read out of many of these sentences, and need not.
        task["slots"].pop("symptom", None)
    if one["outcome"] == "refuse":
        one = one | {"tasks": [{"intent": "refused", "slots": {}, "depends_on": []}]}
    return one


def low(intent: str, one: dict) -> bool:
    """Whether a change is read as something that only looks."""
    change = builtin_schemas()[intent].risk.value != "read" and intent != "run_command_on_hosts"
    return change and one["outcome"] == "execute" and one["risk"] == "read"


def show(tally: Counter[str], wrong: dict[str, list[str]], *, ways: int, errors: int) -> None:
    """Print the figures, and the first lines that went wrong."""
    for language in ("en", "zh"):
        if tally[language]:
            right = tally[f"right {language}"] / tally[language]
            print(f"read right {language:<16} {right:8.3f}   of {tally[language]}")
    print(f"{'steady':<27} {tally['steady'] / max(1, ways):8.3f}   of {ways} ways of asking")
    print(f"{'risk too low':<27} {tally['low']:8}")
    for way, found in list(wrong.items())[:errors]:
        print(f"{way}  ({len(found)})\n   {found[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
