"""The three files of our own making, and the schemas that describe them."""

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from opsmith.ingest import changes, incident_file, topology
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import Entity
from opsmith.nouns.signals import ChangeKind
from opsmith.nouns.topology import Edge, EdgeKind

INCIDENT = """
version: 1
name: pool
title: Checkout fails
window: {start: 2026-01-01T10:00:00Z, end: "2026-01-01T11:10:00+01:00"}
reference:
  - {start: 2026-01-01T09:00:00Z, end: 2026-01-01T10:00:00Z}
alerting: ["service:web"]
candidates: ["database:orders"]
"""
TOLD = {
    "version": 1,
    "name": "pool",
    "window": {"start": "2026-01-01T10:00:00Z", "end": "2026-01-01T11:10:00+01:00"},
    "reference": [{"start": "2026-01-01T09:00:00Z", "end": "2026-01-01T10:00:00Z"}],
    "alerting": ["service:web"],
    "candidates": [],
}
TOPOLOGY = {
    "entities": ["service:web", "database:orders"],
    "edges": [{"source": "service:web", "target": "database:orders", "kind": "calls"}],
}
CHANGE = {
    "at": "2026-01-01T10:01:00Z",
    "entity": "service:web",
    "kind": "deploy",
    "summary": "web 2, token=abc123",
    "version": "2",
}


def valid(name: str, told: object) -> bool:
    schema = json.loads((files("opsmith.ingest") / "schemas" / f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(told))


def incident(tmp_path: Path, text: str) -> tuple[incident_file.IncidentFile, list[str]]:
    path, losses = tmp_path / "incident.yaml", Losses()
    path.write_text(text, encoding="utf-8")
    return incident_file.read(path, losses), [lost.what for lost in losses.missing()]


def read_topology(tmp_path: Path, told: object) -> tuple[topology.Topology, list[str]]:
    path, losses = tmp_path / "topology.json", Losses()
    path.write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
    return topology.read(path, losses), [lost.what for lost in losses.missing()]


def test_an_incident_file_is_read_whole_and_fits_its_schema(tmp_path: Path) -> None:
    found, lost = incident(tmp_path, INCIDENT)

    assert lost == []
    assert (found.name, found.title) == ("pool", "Checkout fails")
    assert found.window is not None
    assert found.window.end == datetime(2026, 1, 1, 10, 10, tzinfo=UTC)
    assert found.reference[0].start == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert found.alerting == (Entity.service("web"),)
    assert found.candidates == (Entity.parse("database:orders"),)
    assert valid("incident", TOLD)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2", "reads version 1"),
        ("colour: red", "no entry of version 1"),
        ("window: {start: 2026-01-01T10:00:00, end: 2026-01-01T11:00:00Z}", "RFC 3339"),
        ("window: {start: 2026-01-02T00:00:00Z, end: 2026-01-01T00:00:00Z}", "ends before"),
        ("window: yesterday", "RFC 3339"),
        ("alerting: [web]", "TYPE:NAME"),
        ("name: [", "YAML"),
        ("a: &a [1]\nb: *a", "alias"),
        ("- 1", "not a mapping"),
        ("x: " + "y" * 2**20, "not a mapping of at most 1 MiB"),
        ("name: !!python/object/apply:os.system [id]", "YAML"),
    ],
)
def test_a_wrong_entry_is_told_and_left_out(tmp_path: Path, text: str, told: str) -> None:
    found, lost = incident(tmp_path, text)

    assert told in lost[0]
    assert found.window is None
    assert found.alerting == ()


def test_a_topology_is_read_and_fits_its_schema(tmp_path: Path) -> None:
    found, lost = read_topology(tmp_path, TOPOLOGY)

    assert lost == []
    assert found.edges == (
        Edge(
            source=Entity.service("web"),
            target=Entity.parse("database:orders"),
            kind=EdgeKind.CALLS,
            origin="file",
        ),
    )
    assert valid("topology", TOPOLOGY)


def test_cycles_stay_and_unknown_nodes_are_told_and_kept(tmp_path: Path) -> None:
    a, b, c = "service:a", "service:b", "service:c"
    told = {
        "entities": [a, b],
        "edges": [
            {"source": a, "target": b},
            {"source": b, "target": a},
            {"source": a, "target": a},
            {"source": b, "target": c},
        ],
    }

    found, lost = read_topology(tmp_path, told)

    assert [str(entity) for entity in found.entities] == [a, b, c]
    assert len(found.edges) == 3
    assert "not listed (service:c)" in lost[0]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ("[", "topology.json:1: not JSON"),
        ("[]", "not an object"),
        ({"entities": ["web"]}, "entities[0]: 'web' is not TYPE:NAME"),
        ({"edges": [{"source": "service:a"}]}, "edges[0]: '' is not TYPE:NAME"),
        (
            {"edges": [{"source": "service:a", "target": "service:b", "kind": "likes"}]},
            "edges[0]: the kind of an edge is one of",
        ),
    ],
)
def test_what_is_no_topology_is_told(tmp_path: Path, told: object, what: str) -> None:
    found, lost = read_topology(tmp_path, told)

    assert found.edges == ()
    assert what in lost[0]


def test_the_first_origin_of_an_edge_is_kept() -> None:
    a, b = Entity.service("a"), Entity.service("b")
    ends = {"source": a, "target": b, "kind": EdgeKind.CALLS}

    found = topology.merged((), [Edge(**ends, origin="file"), Edge(**ends, origin="traces")])

    assert [edge.origin for edge in found.edges] == ["file"]


def test_changes_are_read_oldest_first_and_fit_their_schema(tmp_path: Path) -> None:
    path, losses = tmp_path / "changes.jsonl", Losses()
    early = {"at": "2026-01-01T09:00:00+00:00", "entity": "service:a", "kind": "magic"}
    path.write_text(
        "\n".join(["", json.dumps(CHANGE), json.dumps(early), "{", '{"at": "noon"}', "7"])
        + '\n{"at": "2026-01-01T09:00:00Z", "entity": "x"}'
    )

    found = changes.read(path, Naming(), losses)

    assert [(str(change.entity), change.kind) for change in found] == [
        ("service:a", ChangeKind.OTHER),
        ("service:web", ChangeKind.DEPLOY),
    ]
    assert (found[1].summary, found[1].version) == ("web 2, token=[redacted]", "2")
    lost = [missing.what for missing in losses.missing()]
    assert lost[0].startswith("changes.jsonl:4: not JSON")
    assert lost[1].startswith('changes.jsonl:5: "at" is not')
    assert lost[2].startswith('changes.jsonl:7: "entity" is not')
    assert valid("changes", CHANGE)
    assert not valid("changes", early)
