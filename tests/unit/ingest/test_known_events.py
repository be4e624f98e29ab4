"""A small file of events is read whole, or refused with its line."""

from pathlib import Path

import pytest

from opsmith.errors import BadInput
from opsmith.ingest.known_events import read_events


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_of_one_name_are_occurrences_of_one_event(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "name,start,end\nsale,2026-11-27,2026-11-28\nbackup,1700000000,1700003600\n"
        "sale,2026-12-24T00:00:00+01:00,2026-12-25\n",
    )

    sale, backup = read_events(path)

    assert (sale.name, backup.name) == ("sale", "backup")
    assert sale.windows_s == ((1795737600.0, 1795824000.0), (1798066800.0, 1798156800.0))
    assert backup.windows_s == ((1700000000.0, 1700003600.0),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line"),
        ("what,when\na,b\n", "first line"),
        ("name,start,end\n", "needs a row"),
        ("name,start,end\n,2026-01-01,2026-01-02\n", "a name"),
        ("name,start,end\na,2026-01-02,2026-01-01\n", "line 2"),
        ("name,start,end\na,2026-01-01\n", "line 2"),
        ("name,start,end\na,soon,later\n", "line 2"),
    ],
)
def test_what_is_no_list_of_events_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_events(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_events(tmp_path / "none.csv")


def test_a_list_longer_than_a_person_keeps_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.ingest.known_events.MOST_ROWS", 2)

    with pytest.raises(BadInput, match="more than"):
        read_events(written(tmp_path, "name,start,end\na,1,2\nb,1,2\n"))
