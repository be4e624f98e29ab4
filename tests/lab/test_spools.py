import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opsmith_lab.layout import Lab, plan
from opsmith_lab.spools import write_traces

START, END = datetime.fromtimestamp(1000, UTC), datetime.fromtimestamp(2000, UTC)


def span(trace: int, *, at_s: float = 1500, length_s: float = 0.01, code: int = 0) -> dict:
    return {
        "traceId": f"{trace:032x}",
        "spanId": "1" * 16,
        "name": "GET /",
        "startTimeUnixNano": str(int(at_s * 1e9)),
        "endTimeUnixNano": str(int((at_s + length_s) * 1e9)),
        "attributes": [],
        "status": {"code": code},
    }


def spooled(lab: Lab, *requests: list[dict]) -> None:
    lines = [
        {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}
        for spans in requests
    ]
    path = lab.data / "spool" / "traces-cart.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "spool").mkdir()
    return plan(tmp_path, seed=1, rps=1, scrape_s=5)


def written(path: Path) -> list[dict]:
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return [
        span
        for line in lines
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_failed_and_slow_traces_are_kept_whole_and_stand_for_themselves(
    lab: Lab, tmp_path: Path
) -> None:
    high = 0xFFFFFFF0  # trace ids that a small share never keeps
    spooled(
        lab, [span(high), span(high, code=2)], [span(high + 1, length_s=0.7)], [span(high + 2)]
    )

    write_traces(lab, tmp_path / "out.gz", (START, END), 0.1)

    kept = written(tmp_path / "out.gz")
    assert [int(one["traceId"], 16) - high for one in kept] == [0, 0, 1]
    assert all(one["attributes"] == [] for one in kept)


def test_kept_ordinary_traces_carry_their_rate(lab: Lab, tmp_path: Path) -> None:
    spooled(lab, [span(1), span(1)])

    write_traces(lab, tmp_path / "out.gz", (START, END), 0.25)

    rates = [one["attributes"][0] for one in written(tmp_path / "out.gz")]
    assert rates == [{"key": "sampling.probability", "value": {"doubleValue": 0.25}}] * 2


def test_about_the_asked_share_of_ordinary_traces_is_kept(lab: Lab, tmp_path: Path) -> None:
    spread = 2**32 // 1000
    spooled(lab, [span(number * spread) for number in range(1000)])

    write_traces(lab, tmp_path / "out.gz", (START, END), 0.3)

    assert len(written(tmp_path / "out.gz")) == pytest.approx(300, abs=2)


def test_what_lies_outside_the_stretch_is_left_out(lab: Lab, tmp_path: Path) -> None:
    spooled(lab, [span(1, at_s=999), span(2, at_s=1000), span(3, at_s=2000)])

    write_traces(lab, tmp_path / "out.gz", (START, END), 1.0)

    assert [int(one["traceId"], 16) for one in written(tmp_path / "out.gz")] == [2]


def test_a_line_torn_by_a_kill_costs_that_line_alone(lab: Lab, tmp_path: Path) -> None:
    spooled(lab, [span(1)], [span(2)])
    path = lab.data / "spool" / "traces-cart.jsonl"
    path.write_text('{"resourceSpans": [\n\n' + path.read_text())

    write_traces(lab, tmp_path / "out.gz", (START, END), 1.0)

    assert [int(one["traceId"], 16) for one in written(tmp_path / "out.gz")] == [1, 2]
