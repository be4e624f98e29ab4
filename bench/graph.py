"""Measure the graph: a bulk load, the slice around an incident, and one incident written.

Usage: python bench/graph.py [--nodes N] [--links N] [--bolt] [--peer PYTHON] [-o text|json]
The peer beside the embedded graph is kglite (bench/requirements-graph.txt, in an environment of
its own whose interpreter --peer names): the same nodes and links, the same walk in its Cypher.
--bolt also measures a real Bolt server (ArcadeDB out of the development lock).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from opsmith.backends.graph.bolt import BoltGraph
from opsmith.backends.graph.embedded import EmbeddedGraph
from opsmith.nouns.graph import Link, LinkKind, Node, Subgraph
from opsmith.seams.graph import Around
from opsmith.wiring.graph import HOPS, MOST, OpenGraph

SEED = 8
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SLICES = 200
# What a node of the graph is, in shares of all: as the shop of the lab fills it in a season.
SHARES = {"incident": 0.02, "service": 0.1, "host": 0.03, "alert": 0.25, "template": 0.1}


def synthetic(nodes: int, links: int) -> Subgraph:
    """Incidents with their signals, components that call each other, and weighed links.

    Each incident contains about twenty signals; components have one to a handful.
    """
    rng = random.Random(SEED)  # noqa: S311 - chance of a measurement, not a secret
    counts = {name: int(share * nodes) for name, share in SHARES.items()}
    counts["metric"] = nodes - sum(counts.values())
    ids = {name: [f"{name}:{n}" for n in range(count)] for name, count in counts.items()}
    made = [
        Node(id=one, name=f"{kind} number {n}", seen=NOW)
        for kind, members in ids.items()
        for n, one in enumerate(members)
    ]
    sorts: list[tuple[float, LinkKind, str, str]] = [
        (0.08, LinkKind.CONTAINS, "incident", "alert"),
        (0.12, LinkKind.CONTAINS, "incident", "metric"),
        (0.10, LinkKind.CONTAINS, "service", "alert"),
        (0.15, LinkKind.CONTAINS, "service", "metric"),
        (0.05, LinkKind.CONTAINS, "service", "template"),
        (0.20, LinkKind.TRIGGERS, "metric", "alert"),
        (0.15, LinkKind.CORRELATES_WITH, "metric", "template"),
        (0.12, LinkKind.CALLS, "service", "service"),
        (0.03, LinkKind.RUNS_ON, "service", "host"),
    ]
    found: dict[tuple[LinkKind, str, str], Link] = {}
    for share, kind, source, target in sorts:
        wanted, have = int(share * links), 0
        while have < wanted:
            ends = rng.choice(ids[source]), rng.choice(ids[target])
            if (kind, *ends) not in found:
                found[kind, *ends] = Link(
                    kind=kind, source=ends[0], target=ends[1], seen=NOW, weight=0.5
                )
                have += 1
    return Subgraph(nodes=tuple(made), links=tuple(found.values()))


def incident_part(number: int) -> Subgraph:
    """One incident of eighty nodes and three hundred links, as the lab's faults give them."""
    rng = random.Random(SEED + number)  # noqa: S311 - chance of a measurement, not a secret
    name = f"incident:new{number}"
    nodes = [Node(id=name, name=name, seen=NOW)]
    nodes += [Node(id=f"alert:new{number}-{n}", name="a", seen=NOW) for n in range(10)]
    nodes += [Node(id=f"metric:{rng.randrange(1000)}", name="m", seen=NOW) for _ in range(60)]
    links = [
        Link(kind=LinkKind.CONTAINS, source=name, target=one.id, seen=NOW) for one in nodes[1:]
    ]
    links += [
        Link(kind=LinkKind.TRIGGERS, source=metric.id, target=alert.id, seen=NOW, weight=0.7)
        for alert in nodes[1:11]
        for metric in rng.sample(nodes[11:], 23)
    ]
    return Subgraph(nodes=tuple(nodes), links=tuple(links))


def _link(kind: LinkKind, source: str, target: str, *, weight: float = 1.0) -> Link:
    return Link(kind=kind, source=source, target=target, seen=NOW, weight=weight)


async def measured(graph: OpenGraph, part: Subgraph) -> dict[str, float]:
    """Seconds to load everything, percentiles of slices in ms, ms to write one incident more."""
    began, cpu = time.perf_counter(), time.process_time()
    await graph.write(part)
    load_s, load_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    starts = [node.id for node in part.nodes if node.id.startswith("incident:")]
    rng = random.Random(SEED)  # noqa: S311 - chance of a measurement, not a secret
    slices, sizes = [], []
    for start in [rng.choice(starts) for _ in range(SLICES + 3)]:
        began = time.perf_counter()
        found = await graph.read(Around(start=start, hops=HOPS, most=MOST))
        slices.append((time.perf_counter() - began) * 1000)
        sizes.append(len(found.nodes))
    writes = []
    for number in range(5):
        began = time.perf_counter()
        await graph.write(incident_part(number))
        writes.append((time.perf_counter() - began) * 1000)
    nodes, links = await graph.count()
    await graph.aclose()
    return {
        "nodes": nodes,
        "links": links,
        "load_s": load_s,
        "load_cpu_s": load_cpu_s,
        "slice_first_ms": slices[0],
        "slice_p50_ms": float(np.percentile(slices[3:], 50)),
        "slice_p95_ms": float(np.percentile(slices[3:], 95)),
        "slice_nodes": float(np.mean(sizes)),
        "write_incident_ms": float(np.median(writes)),
    }


def peer(python: str, part: Subgraph, folder: Path) -> dict[str, float]:
    """Kglite with the same graph, in its own process."""
    rows = folder / "part.json"
    told = {
        "nodes": [[n.id, str(n.kind), n.name] for n in part.nodes],
        "links": [[str(k.kind), k.source, k.target, k.weight] for k in part.links],
        "slices": SLICES,
        "seed": SEED,
        "folder": str(folder),
    }
    rows.write_text(json.dumps(told))
    script = Path(__file__).with_name("graph_peer.py")
    done = subprocess.run(
        [python, str(script), str(rows)], capture_output=True, text=True, check=True
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def bolt(part: Subgraph, folder: Path) -> dict[str, float]:
    """A Bolt server on this machine."""
    from promises.real_bolt import PASSWORD, bolt_server

    with bolt_server(folder) as url:
        return asyncio.run(measured(BoltGraph(url, password=PASSWORD), part))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--links", type=int, default=500_000)
    parser.add_argument("--bolt", action="store_true")
    parser.add_argument("--peer", help="interpreter of an environment that holds kglite")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    asked = parser.parse_args()
    part = synthetic(asked.nodes, asked.links)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph = EmbeddedGraph(folder / "graph.db")
        found["embedded"] = asyncio.run(measured(graph, part))
        found["embedded"]["file_mb"] = (folder / "graph.db").stat().st_size / 1e6
        if asked.peer:
            found["kglite"] = peer(asked.peer, part, folder)
        if asked.bolt:
            found["bolt"] = bolt(part, folder)
    if asked.output == "json":
        print(json.dumps(found, indent=2))
        return
    for engine, figures in found.items():
        print(f"{engine}: " + ", ".join(f"{name} {value:.1f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
