"""Find holes in joining requests: every way of parse_sets/joints.txt between known requests.

    python bench/joined.py [--each N] [--seed S] [--errors N] [--way NAME]

A way is filled with two of the requests below and read; right is what has the tasks, the slots,
the dependencies and the condition that the way of joining says. Rules alone are asked: the intent
model never sees a text of more than one request.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter

from paraphrase import HERE, SPOKEN_ZH, refused
from parse import fault

from opsmith.parse.loading import builtin_schemas, load_catalogue
from opsmith.parse.reader import SentenceReader
from opsmith.parse.showing import as_json

REQUESTS: list[tuple[str, str, str, dict[str, object]]] = [
    ("restart cart", "重启购物车", "restart_service", {"service": "cart"}),
    ("scale gateway to 6 replicas", "把网关扩到 6 个副本", "scale_service",
     {"service": "gateway", "replicas": 6}),
    ("roll billing back to v1.8.0", "把计费服务回滚到 v1.8.0", "rollback_release",
     {"service": "billing", "revision": "v1.8.0"}),
    ("drain node-17", "排空 node-17", "drain_node", {"host": "node-17"}),
    ("silence HighErrorRate for 2h", "静默 HighErrorRate 两小时", "silence_alert",
     {"alert": "HighErrorRate", "duration": "2h"}),
    ("clean logs older than 7 days on web-03", "清理 web-03 上 7 天前的日志", "clean_logs",
     {"host": "web-03", "older_than": "7d"}),
    ("restart nginx on web-01", "重启 web-01 上的 nginx", "restart_service",
     {"service": "nginx", "host": "web-01"}),
    ("run `uptime` on web-03", "在 web-03 上执行 `uptime`", "run_command_on_hosts",
     {"command": "uptime", "host": "web-03"}),
    ("check the health of kafka", "检查 kafka 的健康状况", "check_health", {"service": "kafka"}),
    ("show the error logs of auth", "查看认证服务的错误日志", "search_logs",
     {"service": "auth", "level": "error"}),
    ("show me the p99 latency of checkout for the last hour", "看下结算服务最近一小时的 p99 延迟",
     "query_metric", {"service": "checkout", "metric": "latency_p99", "window": "1h"}),
    ("compare the config of inventory between staging and prod", "对比库存服务在预发和生产的配置",
     "compare_config", {"service": "inventory", "targets": ["staging", "prod"]}),
    ("diagnose search-api", "诊断搜索服务", "diagnose_incident", {"service": "search-api"}),
    ("list the dependents of mysql-primary", "看看谁依赖 mysql-primary", "show_topology",
     {"service": "mysql-primary", "direction": "dependents"}),
]  # fmt: skip
CHANGES = 8  # the first so many of them change something
METRICS = {"cpu_usage": ("cpu", " CPU "), "error_rate": ("error rate", "错误率"),
           "memory_usage": ("memory usage", "内存使用率")}  # fmt: skip


def main() -> None:
    """Fill, read, and print."""
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--each", type=int, default=8)
    ap.add_argument("--seed", type=int, default=3)
    ap.add_argument("--errors", type=int, default=0)
    ap.add_argument("--way", default="")
    args = ap.parse_args()
    rng = random.Random(args.seed)  # noqa: S311 - draws sentences, no secrets
    reader = SentenceReader(load_catalogue(HERE / "inventory.json"), builtin_schemas())
    tally: Counter[str] = Counter()
    for way, language, words in ways():
        if args.way not in {"", way}:
            continue
        for _ in range(args.each):
            row = joined(way, language, words, rng)
            why = fault(row, refused(as_json(reader.read(row["text"])[0])))
            tally[language] += 1
            tally[f"right {language}"] += not why
            if why and args.errors:
                args.errors -= 1
                print(f"{way}: {row['text']}\n      {why}", file=sys.stderr)
    for language in ("en", "zh"):
        share = tally[f"right {language}"] / max(1, tally[language])
        print(f"joined right {language}  {share:.3f}   of {tally[language]}")


def ways() -> list[tuple[str, str, str]]:
    """The ways of joining: what it means, language, words."""
    rows = (HERE / "joints.txt").read_text("utf-8").splitlines()
    parts = [[part.strip() for part in row.split("|")] for row in rows if "|" in row]
    return [(p[0], p[1], p[2]) for p, row in zip(parts, (r for r in rows if "|" in r), strict=True)
            if not row.startswith("#")]  # fmt: skip


def joined(way: str, language: str, words: str, rng: random.Random) -> dict:
    """One sentence of two requests, and the tasks it asks for."""
    zh = language == "zh"
    first, second = rng.sample(REQUESTS[: CHANGES - 1] if way == "fails" else REQUESTS, 2)
    service = rng.choice(["user-center", "notification", "recommendation"])
    metric = rng.choice(sorted(METRICS))
    said = SPOKEN_ZH[service] if zh and rng.random() < 0.7 else service
    text = words.format(a=first[zh], b=second[zh], svc=said, metric=METRICS[metric][zh])
    a, b = (task(one[2], one[3]) for one in (first, second))
    tasks = [a, b]
    if way in {"then", "before", "fails"}:
        b["depends_on"] = [0]
    if way == "fails":
        b["slots"]["condition"] = "failure"
    if way in {"unhealthy", "healthy", "else", "breach"}:
        check = task("check_health", {"service": service})
        if way == "breach":
            check = task(
                "query_metric", {"service": service, "metric": metric, "threshold": ">80%"}
            )
        b["depends_on"] = [0]
        b["slots"]["condition"] = "unhealthy" if way == "else" else way
        tasks = [check, b]
        if way == "else":
            a["depends_on"] = [0]
            a["slots"]["condition"] = "healthy"
            tasks = [check, a, b]
    return {"text": text, "lang": language, "outcome": "execute", "tasks": tasks}


def task(intent: str, slots: dict[str, object]) -> dict:
    """A task that waits for nothing yet."""
    return {"intent": intent, "slots": dict(slots), "depends_on": [], "optional": ["symptom"]}


if __name__ == "__main__":
    main()
