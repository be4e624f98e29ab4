"""The incident bundle as a whole."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from opsmith.errors import BadInput
from opsmith.ingest import bundle, files
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording
from tests.builders.otlp import T0, attributes, logs, record, span, traces, written


def filled(folder: Path) -> Path:
    """A small bundle with every part."""
    (folder / "incident.yaml").write_text("version: 1\nname: pool\nalerting: ['service:web']\n")
    (folder / "topology.json").write_text(
        json.dumps({"entities": ["service:web", "service:cart", "database:orders-db"]})
    )
    (folder / "metrics.om").write_text(
        "".join(f'process_open_fds{{service="orders-db"}} {n} {T0 + n}\n' for n in range(60))
        + "# EOF\n"
    )
    alert = {
        "labels": {"alertname": "Slow", "service": "web", "severity": "page"},
        "startsAt": "2026-01-01T00:00:30Z",
        "fingerprint": "f",
    }
    (folder / "alerts.json").write_text(json.dumps({"version": "4", "alerts": [alert]}))
    sent = attributes(db__system="postgresql", server__address="orders-db")
    written(
        folder / "traces.jsonl",
        traces("web", span(1, 1)),
        traces("cart", span(1, 2, 1, at=0.01), span(1, 3, 2, at=50.0, kind=3, attributes=sent)),
    )
    written(
        folder / "logs.jsonl",
        logs("cart", record("x", at=1.0, traceId=f"{1:032x}", spanId=f"{2:016x}")),
        logs("cart", record("x", at=58.0)),
    )
    change = {"at": "2026-01-01T00:00:10Z", "entity": "service:cart", "kind": "deploy"}
    (folder / "changes.jsonl").write_text(json.dumps(change))
    return folder


def lost(recording: Recording, part: str) -> list[str]:
    return [missing.what for missing in recording.missing if missing.part == part]


def test_a_whole_bundle_is_read_into_one_recording(tmp_path: Path) -> None:
    found = bundle.read(filled(tmp_path))

    assert found.name == "pool"
    assert found.missing == ()
    assert found.alerting == (Entity.service("web"),)
    assert [str(series.entity) for series in found.series] == ["database:orders-db"]
    assert found.spans is not None
    assert found.logs is not None
    assert found.logs.span.tolist() == [1, -1]
    assert len(found.alerts) == len(found.changes) == 1
    assert [
        (str(edge.source), str(edge.target), edge.origin) for edge in found.topology.edges
    ] == [
        ("service:cart", "database:orders-db", "traces"),
        ("service:web", "service:cart", "traces"),
    ]
    assert found.window is not None
    assert found.window.start == datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    assert found.window.end == datetime(2026, 1, 1, 0, 0, 59, tzinfo=UTC)


@pytest.mark.parametrize("name", bundle.NAMES)
def test_any_file_may_be_packed(tmp_path: Path, name: str) -> None:
    plain = filled(tmp_path) / name
    if name == "metrics.parquet":
        with duckdb.connect(":memory:") as connection:
            connection.sql(
                "SELECT 'up' AS name, '{\"service\":\"web\"}' AS labels,"
                ' make_timestamptz(1767225601000000) AS "at", 1.0 AS value'
            ).write_parquet(str(plain))
    expected = bundle.read(tmp_path)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()

    found = bundle.read(tmp_path)

    assert found.missing == ()
    assert (found.name, found.window, found.topology) == (
        expected.name,
        expected.window,
        expected.topology,
    )
    assert [series.key for series in found.series] == [series.key for series in expected.series]
    assert (found.alerts, found.changes) == (expected.alerts, expected.changes)


@pytest.mark.parametrize("name", [name for name in bundle.NAMES if name != "metrics.parquet"])
def test_any_part_may_be_missing_and_is_named(tmp_path: Path, name: str) -> None:
    (filled(tmp_path) / name).unlink()

    found = bundle.read(tmp_path)

    assert any(name in missing.what for missing in found.missing)


def test_an_empty_file_is_a_lack_and_no_problem(tmp_path: Path) -> None:
    (filled(tmp_path) / "changes.jsonl").write_text("")

    found = bundle.check(tmp_path)

    assert found.problems == ()
    assert [lack.what for lack in found.lacking] == [
        "changes.jsonl holds nothing that can be used."
    ]


def test_one_part_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "metrics.om").write_text("up 1 1\n# EOF\n")

    found = bundle.read(tmp_path)

    assert found.name == tmp_path.name
    assert found.window is None
    assert len(found.series) == 1
    assert len(found.missing) == 6


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        bundle.read(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="no file of an incident bundle"):
        bundle.read(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="not a folder"):
        bundle.read(tmp_path / "file")


def test_truth_and_label_files_are_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    for name in ("truth.json", "labels.json", "truth.yaml", "incident.json", "README.md"):
        (tmp_path / name).write_text("never read")
    opened: list[Path] = []
    plain_open = Path.open

    def watched(self: Path, *args: object, **more: object) -> object:
        opened.append(self)
        return plain_open(self, *args, **more)  # type: ignore[call-overload]  # passed on

    monkeypatch.setattr(Path, "open", watched)

    bundle.read(tmp_path)

    inside = {path.name for path in opened if tmp_path in path.parents}
    assert inside
    assert inside <= set(bundle.NAMES)


def test_a_link_out_of_the_bundle_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    folder = tmp_path / "bundle"
    folder.mkdir()
    (filled(folder) / "logs.jsonl").rename(outside)
    (folder / "logs.jsonl").symlink_to(outside)
    (folder / "changes.jsonl").unlink()
    (folder / "changes.jsonl").symlink_to(tmp_path / "nowhere")

    found = bundle.read(folder)

    assert found.logs is None
    assert "a link that leads out of the bundle" in lost(found, "logs")[0]
    assert "a link that leads nowhere" in lost(found, "changes")[0]


def test_a_link_inside_the_bundle_is_followed(tmp_path: Path) -> None:
    (filled(tmp_path) / "logs.jsonl").rename(tmp_path / "real.jsonl")
    (tmp_path / "logs.jsonl").symlink_to("real.jsonl")

    assert bundle.read(tmp_path).missing == ()


def test_a_pipe_or_folder_in_the_place_of_a_file_does_not_stop_us(tmp_path: Path) -> None:
    filled(tmp_path)
    for name in ("logs.jsonl", "traces.jsonl"):
        (tmp_path / name).unlink()
    os.mkfifo(tmp_path / "logs.jsonl")
    (tmp_path / "traces.jsonl").mkdir()

    found = bundle.read(tmp_path)

    assert "not a regular file" in lost(found, "logs")[0]
    assert "not a regular file" in lost(found, "traces")[0]


def test_names_from_the_content_are_no_paths(tmp_path: Path) -> None:
    evil = "../../etc/passwd\x00<script>"
    written(
        tmp_path / "traces.jsonl", traces("../../etc/passwd", span(1, 1)), traces(evil, span(2, 1))
    )

    found = bundle.read(tmp_path)

    assert found.spans is not None
    assert [entity.name for entity in found.spans.entities] == ["../../etc/passwd"]


def test_a_truncated_parquet_is_named_as_missing(tmp_path: Path) -> None:
    plain = tmp_path / "whole.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.sql(
            "SELECT 'up' AS name, '{}' AS labels, range::DOUBLE AS \"at\", 1.0 AS value"
            " FROM range(9999)"
        ).write_parquet(str(plain))
    content = plain.read_bytes()
    (tmp_path / "metrics.parquet").write_bytes(content[: len(content) // 2])

    found = bundle.read(tmp_path)

    assert found.series == ()
    assert "metrics.parquet: cannot be read as Parquet" in lost(found, "metrics")[0]
    assert str(tmp_path) not in lost(found, "metrics")[0]


def test_a_parquet_without_our_columns_is_told(tmp_path: Path) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.sql("SELECT 1 AS a").write_parquet(str(tmp_path / "metrics.parquet"))

    assert "lacks one of the columns" in lost(bundle.read(tmp_path), "metrics")[0]


def test_a_folder_with_pattern_signs_in_its_name_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "in[c]*ident?"
    folder.mkdir()
    with duckdb.connect(":memory:") as connection:
        connection.sql(
            "SELECT 'up' AS name, NULL::VARCHAR AS labels, 1::BIGINT AS \"at\", NULL AS value"
            " UNION ALL SELECT 'up', 'no json', 2, 1 UNION ALL SELECT NULL, '', 3, 1"
        ).write_parquet(str(tmp_path / "m.parquet"))
    (tmp_path / "m.parquet").rename(folder / "metrics.parquet")

    assert len(bundle.read(folder).series) == 2


def test_a_packed_bomb_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST_FILE_BYTES", 3 * 2**20)
    filled(tmp_path)
    (tmp_path / "logs.jsonl").unlink()
    bomb = json.dumps(logs("a", record("first"))).encode() + b"\n" + b" \n" * 20_000_000
    (tmp_path / "logs.jsonl.gz").write_bytes(gzip.compress(bomb))

    found = bundle.read(tmp_path)

    assert found.logs is not None
    assert found.logs.at_s.size == 1
    assert any("larger than 3 MiB unpacked" in what for what in lost(found, "logs"))


def test_what_is_not_gzip_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "logs.jsonl").rename(tmp_path / "logs.jsonl.gz")

    assert any("damaged or cut off" in what for what in lost(bundle.read(tmp_path), "logs"))


def test_several_packed_members_in_one_file_are_one_file(tmp_path: Path) -> None:
    packed = b"".join(gzip.compress(f"up {n} {n}\n".encode()) for n in range(3))
    (tmp_path / "metrics.om.gz").write_bytes(packed)

    assert bundle.read(tmp_path).series[0].values.tolist() == [0.0, 1.0, 2.0]


def test_sources_that_do_not_overlap_in_time_are_told_with_the_zone_that_would_fit(
    tmp_path: Path,
) -> None:
    filled(tmp_path)
    hours = 8 * 3600.0
    written(
        tmp_path / "traces.jsonl", traces("web", span(1, 1, at=hours), span(2, 1, at=hours + 59))
    )

    told = lost(bundle.read(tmp_path), "clock")

    assert len(told) == 1
    assert told[0].startswith("traces (2026-01-01T08:00:00Z to")
    assert "-8.00 h would fit" in told[0]


def test_two_sources_apart_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "metrics.om").write_text(f"up 1 {T0}\nup 1 {T0 + 60}\n# EOF\n")
    written(tmp_path / "logs.jsonl", logs("a", record("x", at=1000.0)))

    assert len(lost(bundle.read(tmp_path), "clock")) == 1


def test_a_host_whose_clock_is_behind_is_told(tmp_path: Path) -> None:
    written(
        tmp_path / "traces.jsonl",
        *(traces("web", span(n, 1, at=float(n))) for n in range(1, 4)),
        *(traces("cart", span(n, 2, 1, at=n - 0.8)) for n in range(1, 4)),
    )

    (told,) = lost(bundle.read(tmp_path), "clock")

    assert told.startswith("spans of service:cart start 0.800 s before the calls")


def test_severe_alerts_tell_who_suffers_where_nobody_said(tmp_path: Path) -> None:
    (filled(tmp_path) / "incident.yaml").unlink()

    assert bundle.read(tmp_path).alerting == (Entity.service("web"),)


def test_instances_of_one_service_are_its_parts_and_calls_in_labels_are_edges(
    tmp_path: Path,
) -> None:
    rows = [
        'cpu_ratio{service="a",instance="a1"} 1 1',
        'cpu_ratio{service="a",instance="a2"} 1 1',
        'cpu_ratio{service="b",instance="b1"} 1 1',
        'rpc_total{caller="a",callee="b"} 1 1',
        "odd_count 5 1\nodd_count 1 2\nodd_count 0 3",
        'latency_ms{service="b"} 250 1',
    ]
    (tmp_path / "metrics.om").write_text("\n".join([*rows, "# EOF", ""]))

    found = bundle.read(tmp_path)

    kinds = {str(series.entity): series.kind.value for series in found.series}
    assert set(kinds) == {"instance:a1", "instance:a2", "service:b", "edge:a->b", "None"}
    assert kinds["None"] == "gauge"
    assert found.series[-1].values.tolist() == [0.25]
    assert [(str(edge.source), edge.kind.value) for edge in found.topology.edges] == [
        ("instance:a1", "instance_of"),
        ("instance:a2", "instance_of"),
        ("service:a", "calls"),
    ]


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    plain_open = Path.open

    def refusing(self: Path, *args: object, **more: object) -> object:
        if self.name == "logs.jsonl":
            raise PermissionError(13, "Permission denied")
        return plain_open(self, *args, **more)  # type: ignore[call-overload]  # passed on

    monkeypatch.setattr(Path, "open", refusing)

    assert "cannot be read (Permission denied)" in lost(bundle.read(tmp_path), "logs")[0]
