"""OpenMetrics text: strict files and all the others."""

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.ingest import openmetrics
from opsmith.ingest.files import LONGEST_LINE_BYTES
from opsmith.ingest.losses import Losses
from opsmith.ingest.samples import RawSeries


def read(tmp_path: Path, text: str) -> tuple[dict[str, RawSeries], list[str]]:
    path = tmp_path / "metrics.om"
    path.write_text(text, encoding="utf-8")
    losses = Losses()
    found = openmetrics.read(path, losses)
    return {series.name: series for series in found}, [lost.what for lost in losses.missing()]


def test_names_labels_types_values_and_times_are_read(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        "# TYPE shop counter\n# HELP shop Orders.\n# UNIT shop x\n"
        'shop_total{a="1",b="x, y} \\"z\\"\\\\ \\n"} 5 10.5\n'
        'shop_total{a="1",b="x, y} \\"z\\"\\\\ \\n"} 6 11.5\n'
        "plain 1e3 10\n# EOF\n",
    )

    assert lost == []
    assert found["shop_total"].labels == (("a", "1"), ("b", 'x, y} "z"\\ \n'))
    assert found["shop_total"].declared == "counter"
    assert found["shop_total"].times_s.tolist() == [10.5, 11.5]
    assert found["shop_total"].values.tolist() == [5.0, 6.0]
    assert found["plain"].values.tolist() == [1000.0]


def test_labels_in_another_order_are_the_same_series(tmp_path: Path) -> None:
    found, _ = read(tmp_path, 'm{a="1",b="2"} 1 1\nm{b="2",a="1"} 2 2\n# EOF\n')

    assert found["m"].values.tolist() == [1.0, 2.0]


def test_exemplars_odd_spaces_and_quoted_names_are_read(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        'h_bucket{le="1"} 3 10 # {trace_id="ab c"} 0.5 9.9\n'
        'h_bucket{le="1"}   4\t 20\n'
        '{"my.metric",job="x"} 7 10\n# EOF\n',
    )

    assert lost == []
    assert found["h_bucket"].values.tolist() == [3.0, 4.0]
    assert found["my.metric"].labels == (("job", "x"),)


def test_a_file_without_its_end_is_used_and_told(tmp_path: Path) -> None:
    found, lost = read(tmp_path, "m 1 1\nm 2 2\nm 3")

    assert found["m"].values.tolist() == [1.0, 2.0]
    assert any("# EOF" in what for what in lost)
    assert any("metrics.om:3: a sample without a time" in what for what in lost)


def test_a_broken_line_is_told_with_its_number_and_the_rest_is_used(tmp_path: Path) -> None:
    found, lost = read(
        tmp_path,
        'm 1 1\nm{a=b} 1 1\nm{a="b" 1 1\nm x 1\n=== 1 1\nm{a="b"}c="d"} 1 1\nm 2 2\n# EOF\n',
    )

    assert found["m"].values.tolist() == [1.0, 2.0]
    assert lost == ["metrics.om:2: not an OpenMetrics sample; dropped. (5 times)"]


def test_nan_is_a_gap_and_an_infinity_becomes_one_and_is_told(tmp_path: Path) -> None:
    found, lost = read(tmp_path, "m NaN 1\nm +Inf 2\nm -Inf 3\nm 4 4\n# EOF\n")

    values = found["m"].values.tolist()
    assert [math.isnan(value) for value in values] == [True, True, True, False]
    assert lost == ["metrics.om: an infinite value; read as a gap. (2 times)"]


def test_doubled_and_unordered_times_are_mended_and_told(tmp_path: Path) -> None:
    found, lost = read(tmp_path, "m 3 30\nm 1 10\nm 2 20\nm 9 20\n# EOF\n")

    assert found["m"].times_s.tolist() == [10.0, 20.0, 30.0]
    assert found["m"].values.tolist() == [1.0, 9.0, 3.0]
    assert len(lost) == 2


def test_milliseconds_are_recognised(tmp_path: Path) -> None:
    found, lost = read(tmp_path, "m 3 1767225600500\n# EOF\n")

    assert found["m"].times_s.tolist() == [1767225600.5]
    assert "milliseconds" in lost[0]


def test_samples_without_a_finite_time_are_dropped(tmp_path: Path) -> None:
    found, lost = read(tmp_path, "m 3 NaN\nm 4 5\n# EOF\n")

    assert found["m"].values.tolist() == [4.0]
    assert "without a time" in lost[0]


def test_an_over_long_line_is_dropped_and_the_rest_is_used(tmp_path: Path) -> None:
    long = 'm{a="' + "x" * 70_000 + '"} 1 1\n'
    longer = "y" * (LONGEST_LINE_BYTES + 2_000_000) + "\n"

    found, lost = read(tmp_path, "m 1 1\n" + long + longer + "m 2 2\n# EOF\n")

    assert found["m"].values.tolist() == [1.0, 2.0]
    assert "metrics.om:2: longer than 64 KiB" in lost[0]
    assert "metrics.om:3: longer than 16 MiB" in lost[1]


def test_a_packed_file_that_was_cut_off_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    text = "".join(f"m {n} {n}\n" for n in range(200_000))
    packed = gzip.compress(text.encode())
    path = tmp_path / "metrics.om.gz"
    path.write_bytes(packed[: len(packed) // 2])
    losses = Losses()

    (series,) = openmetrics.read(path, losses)

    assert series.values[:3].tolist() == [0.0, 1.0, 2.0]
    assert series.values.size > 1_000
    assert "metrics.om.gz: damaged or cut off" in losses.missing()[0].what


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=20), max_size=4
    ),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5),
)
def test_what_is_written_by_the_rules_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, labels: dict[str, str], values: list[float]
) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    inside = ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())
    lines = [f"m{{{inside}}} {value!r} {row}" for row, value in enumerate(values)]
    path = tmp_path_factory.mktemp("om") / "metrics.om"
    path.write_bytes("\n".join([*lines, "# EOF\n"]).encode("utf-8", errors="replace"))

    (series,) = openmetrics.read(path, Losses())

    assert series.values.tolist() == values
    assert dict(series.labels) == labels
