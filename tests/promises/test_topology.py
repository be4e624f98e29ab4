"""Who calls whom, asked of a real Prometheus that holds what meshes and tracers export."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from opsmith.backends.metrics.prometheus import PrometheusMetrics
from opsmith.backends.state.files import FileStates
from opsmith.backends.wire.http import HttpWire
from opsmith.cli.main import opsmith
from opsmith.errors import BadInput, Unreachable
from opsmith.flows.learn_topology import TopologyKeeper
from opsmith.ingest.label_rules import describe
from opsmith.ingest.topology_metrics import KNOWN, CallMetric
from opsmith.nouns.entity import Entity
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from opsmith.seams.wire import Access
from tests.promises import real_prometheus

CALLS = (
    'istio_requests_total{source_workload="web",destination_workload="cart"}',
    'istio_requests_total{source_workload="unknown",destination_workload="web"}',
    'traces_service_graph_request_total{client="cart",server="orders",connection_type="database"}',
    'traces_service_graph_request_total{client="user",server="web"}',
    'hubble_flows_processed_total{source="shop/pay-7d9f8b6c5d-x2x4z",destination="shop/bank-0"}',
    'edges_total{from="cart",to="mail"}',
)
QUIET = 'istio_requests_total{source_workload="web",destination_workload="gone"}'


def recording() -> str:
    """Twenty minutes up to now: counters that rise, and one at rest."""
    end = int(datetime.now(UTC).timestamp())
    lines = []
    for key in sorted((*CALLS, QUIET)):
        lines += [f"{key} {5 if key == QUIET else n} {end - 1200 + 30 * n}" for n in range(41)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings of a real Prometheus and a topology file."""
    data, port = real_prometheus.filled(tmp_path, recording()), real_prometheus.free_port()
    server = real_prometheus.started(tmp_path, data, port)
    file = tmp_path / "topology.json"
    stated = {"source": "service:mail", "target": "external:smtp", "kind": "calls"}
    file.write_text(json.dumps({"edges": [stated]}))
    sources = {
        "metrics": [{"name": "p", "url": f"http://127.0.0.1:{port}", "retries": 10}],
        "topology": {
            "file": str(file),
            "call_metrics": [{"metric": "edges_total", "caller": "from", "callee": "to"}],
        },
    }
    (tmp_path / "sources.yml").write_text(yaml.safe_dump(sources))
    monkeypatch.setenv("OPSMITH_SOURCES_FILE", str(tmp_path / "sources.yml"))
    monkeypatch.setenv("OPSMITH_DATA_DIR", str(tmp_path / "state"))
    yield tmp_path
    server.terminate()
    server.wait(timeout=30)


@pytest.mark.needs_prometheus
@pytest.mark.slow
def test_edges_come_from_all_that_tell_them_with_source_and_age(asked: Path) -> None:
    done = CliRunner().invoke(opsmith, ["topology", "show", "-o", "json"])
    text = CliRunner().invoke(opsmith, ["topology", "show"])

    told = json.loads(done.stdout)
    found = {
        (one["source"], one["target"]): [seen["origin"] for seen in one["sightings"]]
        for one in told["edges"]
    }
    assert found == {
        ("service:web", "service:cart"): ["metrics"],
        ("service:cart", "database:orders"): ["metrics"],
        ("service:pay", "service:bank"): ["metrics"],
        ("service:cart", "service:mail"): ["metrics"],
        ("service:mail", "external:smtp"): ["file"],
    }
    assert told["missing"] == []
    assert "service:web calls service:cart  (metrics; 20" in text.stdout
    (asked / "topology.json").unlink()
    assert "not asked: " in CliRunner().invoke(opsmith, ["topology", "show"]).stderr


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def edge(origin: str) -> Edge:
    caller, callee = Entity.service("a"), Entity.service("b")
    return Edge(source=caller, target=callee, kind=EdgeKind.CALLS, origin=origin)


def keeper(folder: Path, *, file: Path | None = None) -> TopologyKeeper:
    store = FileStates(folder / "state")
    return TopologyKeeper(metrics=None, calls=KNOWN, file=file, store=store, clock=lambda: NOW)


async def test_what_traces_told_is_known_after_a_restart_and_in_no_bundle(tmp_path: Path) -> None:
    heard: list[Topology] = []
    first = keeper(tmp_path)
    first.know = heard.append
    first.learn(Topology(edges=(edge("traces"), edge("file"))))
    await first.step()

    again = keeper(tmp_path)
    await again.step()

    assert [len(one.edges) for one in heard] == [1, 1]
    assert [seen.origin for seen in again.known()[0].sightings] == ["traces"]
    assert again.stated() is None


async def test_a_damaged_topology_file_is_told_and_what_can_be_read_is_used(
    tmp_path: Path,
) -> None:
    file = tmp_path / "topology.json"
    good = {"source": "service:a", "target": "service:b"}
    file.write_text(json.dumps({"edges": [good, {"source": "nobody", "target": "service:b"}]}))
    known = keeper(tmp_path, file=file)

    with pytest.raises(BadInput, match=r"topology\.json edges\[1\]"):
        await known.step()

    stated = known.stated()
    assert stated is not None
    assert len(stated.edges) == 1


@pytest.mark.parametrize(
    ("metric", "label"), [("a b", "x"), ("a", "x) > 0 or vector(1"), ("", "x"), ("a", "")]
)
def test_a_call_metric_is_never_a_query(metric: str, label: str) -> None:
    with pytest.raises(BadInput):
        CallMetric(metric=metric, caller=label, callee="ok")


async def test_a_server_that_is_gone_is_told_after_the_file_was_read(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    file.write_text(json.dumps({"edges": [{"source": "service:a", "target": "service:b"}]}))
    asked = TopologyKeeper(
        metrics=PrometheusMetrics(
            HttpWire(Access(url="http://127.0.0.1:1", retries=0)), describe=describe
        ),
        calls=KNOWN,
        file=file,
        store=FileStates(tmp_path),
        clock=lambda: NOW,
    )

    with pytest.raises(Unreachable):
        await asked.step()
    assert asked.stated() is not None
