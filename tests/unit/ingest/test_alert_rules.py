import pytest

from opsmith.ingest.alert_rules import threshold, thresholds
from opsmith.nouns.forecast import Side
from opsmith.nouns.sign import AlertRule


@pytest.mark.parametrize(
    ("expression", "promql", "side", "value"),
    [
        ('disk_used{m="/"} > 90', 'disk_used{m="/"}', Side.ABOVE, 90.0),
        ("(a / b) * 100 <= 5.5e0", "(a / b) * 100", Side.BELOW, 5.5),
        ("10 * 1024 * 1024 > free_bytes", "free_bytes", Side.BELOW, 10 * 1024 * 1024),
        ("((queue_depth >= 1000))", "queue_depth", Side.ABOVE, 1000.0),
        ('x{path=~"a>b|c<d"} < -3', 'x{path=~"a>b|c<d"}', Side.BELOW, -3.0),
        ("used_bytes > 0.8 * limit_bytes", "(used_bytes) - (0.8 * limit_bytes)", Side.ABOVE, 0.0),
        ("sum by (job) (rate(e[5m]) > 0) > 2", "sum by (job) (rate(e[5m]) > 0)", Side.ABOVE, 2.0),
    ],
)
def test_one_comparison_is_a_threshold(
    expression: str, promql: str, side: Side, value: float
) -> None:
    found = threshold("Rule", expression)

    assert found is not None
    assert (found.promql, found.side, found.value) == (promql, side, value)


@pytest.mark.parametrize(
    "expression",
    [
        "up == 0",
        "a > 1 and b > 2",
        "a > on (job) b",
        "absent(up)",
        "a > bool 1",
        "> 5",
        "5 >",
        "",
        "x > 1 / 0 / 0" * 2000,
        "a > 1 unless b",
    ],
)
def test_anything_else_is_none(expression: str) -> None:
    assert threshold("Rule", expression) is None


def test_rules_that_compare_the_same_are_one() -> None:
    rules = [AlertRule(name=name, promql="a > 1") for name in ("x", "y")]

    assert len(thresholds(rules)) == 1
