"""bench/rca.py reads each layout off its files, scores it, and never ranks by a label."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
LAYOUTS = ("storms", "untimed", "metrics")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCH / "rca.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment or None,
    )


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def write_truth(folder: Path, causes: dict[str, str]) -> None:
    rows = [{"incident": name, "root_causes": [cause]} for name, cause in causes.items()]
    put(folder / "ground_truth.jsonl", "\n".join(map(json.dumps, rows)))


def write_storms(folder: Path) -> None:
    nodes = [{"id": "shop", "type": "Service"}, {"id": "rack", "type": "Host"}]
    nodes += [{"id": f"shop-{n}", "type": "Service_Instance"} for n in range(3)]
    edges = [
        {"source": f"shop-{n}", "target": target, "label": label}
        for n in range(3)
        for target, label in (("shop", "instance_of"), ("rack", "hosted_on"), ("shop", "hosts"))
    ]
    put(folder / "toy-KG.json", json.dumps({"nodes": nodes, "edges": edges}))
    causes = {str(n): f"shop-{n % 3}" for n in range(6)}
    metrics = {
        fault: [["1700000000000", cause, "rack", "cpu_usage", "up"]]
        + [["1700000060000", f"shop-{n}", "rack", "memory_used", "up"] for n in range(3)]
        for fault, cause in causes.items()
    }
    traces = {f: [["1700000000500", "shop-0", "shop-1", "GET /", "PD"]] for f in causes}
    logs = {fault: [["10.0.0.1", "7", ["line"], 2, None]] for fault in causes}
    put(folder / "metric" / "metrics.json.gz", json.dumps(metrics))
    put(folder / "trace" / "traces.json.gz", json.dumps(traces))
    put(folder / "log" / "logs.json", json.dumps(logs))
    write_truth(folder, {f"toy/{fault}": cause for fault, cause in causes.items()})


def write_untimed(folder: Path) -> None:
    names = ["shop-0", "bank-0", "bank-db-0"]
    faults = ["1", "2", "3"]
    parts = {
        "nodes": dict.fromkeys(faults, names),
        "edges": {f: [[0, 1], [1, 0], [1, 1], [1, 2]] for f in faults},
        "metrics": {f: [["bank-0", "dest_p90", "up"], ["bank-0", "odd", "down"]] for f in faults},
        "traces": {
            f: [["-1", "shop-0", "GET", "PD"], ["shop-0", "", "x", "500"], ["-1", "", "x", "500"]]
            for f in faults
        },
        "logs": {f: [["shop-0", "shop-0-3"]] for f in faults},
    }
    for part, rows in parts.items():
        put(folder / "raw" / f"{part}.json.gz", json.dumps(rows))
    write_truth(folder, {f"{folder.name}/{fault}": "bank-0" for fault in faults})


def write_metrics(folder: Path) -> None:
    """Half an hour in which bank is slow, and shop with it."""
    traffic = folder / "dataset" / "low"
    put(traffic / "graph.csv", ",shop,bank\nshop,0,1\nbank,0,0\n")
    header = ["microservice,shop,bank", "metric,latency,latency", "statistic,Average,Average"]
    quiet = [f"{300 * n},{0.2 + n % 3 / 100},{0.1 + n % 2 / 100}" for n in range(1, 60)]
    ill = [f"{90000 + 300 * n},1.2,1.1" for n in range(5)]
    put(traffic / "noissue" / "metrics.csv.gz", "\n".join([*header, *quiet, ""]))
    put(traffic / "test" / "issue_1" / "metrics.csv", "\n".join([*header, *ill, ""]))
    alert = {"node": "shop", "metric": "latency", "agg": "Average", "timestamp": 90600}
    target = {"target": alert, "root_cause": {"node": "bank"}, "metadata": {}}
    put(traffic / "test" / "issue_1" / "target.json", json.dumps(target))
    write_truth(folder, {"low/test/issue_1": "bank"})


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    write_storms(tmp_path / "all" / "storms")
    write_untimed(tmp_path / "all" / "untimed")
    write_metrics(tmp_path / "all" / "metrics")
    return tmp_path / "all"


@pytest.mark.slow
def test_every_set_below_a_folder_is_ranked_and_scored(sets: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"

    done = run("--data", sets, "-o", "json", "--predictions", out)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {one["system"]: one["incidents"] for one in told["sets"]} == {
        "metrics": 1,
        "storms": 6,
        "untimed": 3,
    }
    for one in told["sets"]:
        ours = one["methods"]["opsmith"]
        assert 0 <= ours["AC@1"] <= ours["AC@3"] <= 1
        assert {"random", "alert count", "pagerank"} <= set(one["methods"])
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 10
    assert all(len(set(row["ranking"])) == len(row["ranking"]) > 0 for row in rows)
    slow = next(row for row in rows if row["incident"] == "low/test/issue_1")
    assert slow["ranking"][0] == "bank"


@pytest.mark.slow
def test_fitting_learns_from_another_folder_and_prints_calibration(sets: Path) -> None:
    done = run("--data", sets / "untimed", "--fit", sets / "storms", "--calibration")

    assert done.returncode == 0, done.stderr
    assert "ECE" in done.stdout
    assert "untimed: 3 incidents" in done.stdout


@pytest.mark.slow
def test_the_ranking_is_the_same_without_any_label(sets: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run("--data", sets, "--predictions", first, "--no-baselines")
    for labels in (*sets.rglob("ground_truth.jsonl"), *sets.rglob("label.csv")):
        labels.unlink()
    target = next(sets.rglob("target.json"))
    put(target, json.dumps({"target": json.loads(target.read_text())["target"]}))

    done = run("--data", sets, "--predictions", second, "--no-baselines")

    assert "no truth file" in done.stdout

    def rankings(path: Path) -> list[object]:
        return [json.loads(line)["ranking"] for line in path.read_text().splitlines()]

    assert rankings(first) == rankings(second)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["nothing", "empty", "json", "truth"])
def test_a_folder_that_cannot_be_read_is_a_usage_error(sets: Path, broken: str) -> None:
    folder = sets / "storms"
    if broken == "nothing":
        folder = sets / "nowhere"
    elif broken == "empty":
        (folder := sets / "empty").mkdir()
    elif broken == "json":
        (folder / "metric" / "metrics.json.gz").write_bytes(b"no gzip")
    else:
        put(folder / "ground_truth.jsonl", '{"incident": 1}\n')

    done = run("--data", folder, "--no-baselines")

    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("rca: ")
