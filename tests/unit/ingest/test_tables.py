"""Tables that people bring along: CSV, Parquet, OpenMetrics."""

import gzip
import math
from pathlib import Path

import duckdb
import numpy as np
import pytest

from opsmith.errors import BadInput
from opsmith.ingest.tables import read_series, read_table
from opsmith.nouns.series import MetricKind, Unit

SAMPLES = """
SELECT 'up' AS name, MAP {'job': 'a'} AS labels, "at", value
FROM (VALUES (10.0::DOUBLE, 1.0), (20.5::DOUBLE, 0.0)) AS t("at", value)
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_time_and_value_is_one_series_with_the_name_of_its_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "cpu_load.csv",
        "timestamp,value\n2026-01-01 00:00:00,1.5\n2026-01-01 00:05:00,2",
    )

    (series,) = read_series(path)

    assert series.name == "cpu_load"
    assert series.times_s.tolist() == [1767225600.0, 1767225900.0]
    assert series.values.tolist() == [1.5, 2.0]


def test_a_wide_table_is_a_series_a_column_and_words_and_marks_are_none(tmp_path: Path) -> None:
    path = written(
        tmp_path / "wide.csv",
        "ts;orders_total;temp;region;label\n1767225600;1;20.5;eu;0\n1767225660;4;;eu;1\n",
    )

    found = {series.name: series for series in read_series(path)}

    assert list(found) == ["orders_total", "temp"]
    assert found["orders_total"].kind is MetricKind.COUNTER


@pytest.mark.parametrize(
    ("cell", "second"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("2026-01-01", 1767225600.0),
        ("01/01/2026 00:00", 1767225600.0),
        ("1767225600", 1767225600.0),
        ("1767225600.25", 1767225600.25),
        ("1767225600250", 1767225600.25),
        ("1767225600250000", 1767225600.25),
        ("1767225600250000000", 1767225600.25),
    ],
)
def test_times_are_iso_or_unix_seconds_milli_micro_or_nanoseconds(
    tmp_path: Path, cell: str, second: float
) -> None:
    (series,) = read_series(written(tmp_path / "t.csv", f"time,value\n{cell},1\n"))

    assert series.times_s[0] == pytest.approx(second, abs=1e-3)


def test_a_table_without_a_header_is_read(tmp_path: Path) -> None:
    (series,) = read_series(written(tmp_path / "plain.csv", "1767225600,3\n1767225660,4\n"))

    assert series.name == "plain"
    assert series.values.tolist() == [3.0, 4.0]


def test_gaps_infinities_doubles_and_disorder_are_mended_and_told(tmp_path: Path) -> None:
    rows = "60,1\n0,7\n120,\n180,inf\n60,2\nnonsense,3\n"

    table = read_table(written(tmp_path / "t.csv", "time,value\n" + rows))

    (series,) = table.series
    assert series.times_s.tolist() == [0.0, 60.0, 120.0, 180.0]
    assert series.values[:2].tolist() == [7.0, 2.0]
    assert np.isnan(series.values[2:]).all()
    told = " ".join(lost.what for lost in table.missing)
    assert "t.csv:7: a row without a time" in told
    assert "infinite" in told
    assert "sorted" in told
    assert "the last counts" in told


def test_values_of_a_table_keep_the_unit_they_came_in(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "time,latency_ms,wait_seconds\n1,250,2\n2,251,3\n")

    milli, seconds = read_series(path)

    assert (milli.values[0], milli.unit) == (250.0, Unit.UNKNOWN)
    assert (seconds.values[0], seconds.unit) == (2.0, Unit.SECONDS)


def test_a_packed_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"time,value\n1,5\n"))

    assert read_series(path)[0].values.tolist() == [5.0]


def test_openmetrics_and_parquet_give_the_same_series(tmp_path: Path) -> None:
    text = written(tmp_path / "m.om", 'up{job="a"} 1 10\nup{job="a"} 0 20.5\n# EOF\n')
    columnar = tmp_path / "m.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.sql(SAMPLES).write_parquet(str(columnar))

    (left,), (right,) = read_series(text), read_series(columnar)

    assert left.key == right.key == 'up{job="a"}'
    assert left.times_s.tolist() == right.times_s.tolist() == [10.0, 20.5]
    assert left.values.tolist() == right.values.tolist()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", "", "a column of times"),
        ("t.csv", "only\none\n", "a column of times"),
        ("t.csv", "time,value\nx,1\n", "no series"),
        ("t.xls", "whatever", "not a kind of file"),
        ("t.om", "# EOF\n", "no series"),
        ("t.parquet", "no parquet", "no series"),
    ],
)
def test_a_file_without_series_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        read_series(written(tmp_path / name, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_series(tmp_path / "t.csv")


def test_an_unreadable_number_is_a_gap(tmp_path: Path) -> None:
    (series,) = read_series(written(tmp_path / "t.csv", "time,value\n1,5\n2,oops\n3,6\n"))

    assert math.isnan(series.values[1])


@pytest.mark.parametrize(
    "clock",
    ["to_timestamp(1700000000 + 60 * i)", "(1700000000 + 60 * i) * 1000"],
)
def test_a_wide_parquet_is_read_as_a_csv_is(tmp_path: Path, clock: str) -> None:
    path = tmp_path / "w.parquet"
    with duckdb.connect() as connection:
        connection.sql(
            f"SELECT {clock} AS time, i * 0.5 AS cpu, CASE WHEN i = 3 THEN NULL ELSE i END"  # noqa: S608
            " AS jobs, 'a' AS host FROM range(5) AS r(i)"
        ).write_parquet(str(path))

    found = read_series(path)

    assert [one.name for one in found] == ["cpu", "jobs"]
    assert found[0].times_s.tolist() == [1_700_000_000 + 60 * n for n in range(5)]
    assert found[0].values.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert np.isnan(found[1].values[3])


def test_a_parquet_without_times_says_how_to_name_them(tmp_path: Path) -> None:
    path = tmp_path / "w.parquet"
    with duckdb.connect() as connection:
        connection.sql("SELECT i AS cpu FROM range(5) AS r(i)").write_parquet(str(path))

    with pytest.raises(BadInput, match="no column of times"):
        read_series(path)
