"""A catalogue of one's own: what is good is asked first, what is bad is told."""

from pathlib import Path

import pytest

from opsmith.answer.catalogue import load, shipped
from opsmith.errors import BadInput

GOOD = """
version: 1
entries:
  - metric: queue_lag
    family: ours
    unit: count
    labels: {service: [worker]}
    needs: our_backlog
    promql: 'sum(our_backlog{$target})'
"""


def test_an_own_entry_stands_before_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text(GOOD)

    found = load(tmp_path / "metrics.yaml")

    assert found.entries_for("queue_lag")[0].family == "ours"
    assert len(found.entries) == len(shipped().entries) + 1


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("$target}", "$where}", "unknown place $where"),
        ("{$target}", "", "lacks $target"),
        ("{$target}", "$target", "inside braces"),
        ("sum(our", "sum((our", "brackets do not match"),
        ("unit: count", "unit: furlongs", "unit"),
        ("family: ours", "family: ours\n    color: red", "color"),
        ("{service: [worker]}", "nosuch", "no label set"),
        ("[worker]", '["a b"]', "letters, digits"),
        ("version: 1", "version: [", "no YAML"),
        ("sum(", "histogram_quantile($q, ", "$q"),
        ("needs: our_backlog", "needs: 'our_backlog or up'", "needs"),
    ],
)
def test_a_bad_entry_is_told_with_its_reason(
    tmp_path: Path, was: str, now: str, told: str
) -> None:
    (tmp_path / "metrics.yaml").write_text(GOOD.replace(was, now))

    with pytest.raises(BadInput, match=told.replace("$", r"\$")):
        load(tmp_path / "metrics.yaml")


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\xff\xfe")

    for name in ("nothing.yaml", "m.yaml"):
        with pytest.raises(BadInput, match="cannot be read"):
            load(tmp_path / name)
