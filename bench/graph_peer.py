"""The peer of bench/graph.py: the same graph in kglite, in an environment of its own."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

import kglite
import numpy as np
import pandas as pd

WALK = "MATCH (a:Incident {id: $id})-[*1..3]-(b) RETURN DISTINCT b.id, b.name LIMIT 500"
KINDS = {
    "incident": "Incident",
    "alert": "Alert",
    "metric": "Metric",
    "template": "LogTemplate",
    "service": "Service",
    "host": "Host",
}


def add(graph: kglite.KnowledgeGraph, nodes: list[list[str]], links: list[list[object]]) -> None:
    """Put nodes and links into the peer, one table a kind."""
    by_kind = defaultdict(list)
    for ident, kind, name in nodes:
        by_kind[kind].append((ident, name))
    for kind, rows in by_kind.items():
        graph.add_nodes(pd.DataFrame(rows, columns=["id", "name"]), kind, "id", "name")
    by_group = defaultdict(list)
    for kind, source, target, weight in links:
        ends = tuple(KINDS[str(end).partition(":")[0]] for end in (source, target))
        by_group[kind, *ends].append((source, target, weight))
    for (kind, source, target), rows in by_group.items():
        frame = pd.DataFrame(rows, columns=["s", "t", "weight"])
        graph.add_relationships(frame, kind, source, "s", target, "t", columns=["weight"])


def main() -> None:
    """Measure and print."""
    told = json.loads(Path(sys.argv[1]).read_text())
    path = Path(told["folder"]) / "peer.kgl"
    began, cpu = time.perf_counter(), time.process_time()
    graph = kglite.KnowledgeGraph()
    add(graph, told["nodes"], told["links"])
    graph.save(str(path))
    load_s, load_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    starts = [node[0] for node in told["nodes"] if node[1] == "Incident"]
    rng = random.Random(told["seed"])  # noqa: S311 - chance of a measurement, not a secret
    slices, sizes = [], []
    for start in [rng.choice(starts) for _ in range(told["slices"] + 3)]:
        began = time.perf_counter()
        sizes.append(len(graph.cypher(WALK, params={"id": start}).to_list()))
        slices.append((time.perf_counter() - began) * 1000)
    writes = []
    for number in range(5):
        began = time.perf_counter()
        name = f"incident:new{number}"
        nodes = [[name, "Incident", name]]
        nodes += [[f"alert:new{number}-{n}", "Alert", "a"] for n in range(10)]
        add(graph, nodes, [["CONTAINS", name, node[0], 1.0] for node in nodes[1:]])
        graph.save(str(path))
        writes.append((time.perf_counter() - began) * 1000)
    print(
        json.dumps(
            {
                "load_s": load_s,
                "load_cpu_s": load_cpu_s,
                "slice_first_ms": slices[0],
                "slice_p50_ms": float(np.percentile(slices[3:], 50)),
                "slice_p95_ms": float(np.percentile(slices[3:], 95)),
                "slice_nodes": float(np.mean(sizes)),
                "write_incident_ms": float(np.median(writes)),
                "file_mb": path.stat().st_size / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
