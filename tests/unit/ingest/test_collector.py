"""Folding and the collector: bounded many series, sums that stay whole."""

from collections.abc import Sequence

import pytest

from opsmith.ingest.collector import OVERFLOW, Budget, Collector, Row, exposition
from opsmith.ingest.distinct import Distinct
from opsmith.ingest.folding import FoldingRules


def row(value: float = 1.0, weight: float = 1.0, **labels: str) -> Row:
    return (("__name__", "calls"), *labels.items()), value, weight


def collected(rows: Sequence[Row], **rules: object) -> Collector:
    collector = Collector(rules=FoldingRules(**rules))  # type: ignore[arg-type]
    collector.take(rows, at_s=0.0)
    return collector


def told(collector: Collector, label: str) -> set[str]:
    return {dict(total.labels).get(label, "") for total in collector.totals()}


def test_observations_of_one_label_set_are_one_weighted_sum() -> None:
    collector = collected([row(2.0, 1.0, service="a"), row(3.0, 10.0, service="a")])

    (total,) = collector.totals()

    assert (total.count, total.sum) == (11.0, 32.0)


def test_an_exploding_label_is_folded_into_few_buckets_and_nothing_is_lost() -> None:
    rows = [row(path=f"/p/{n % 900}", service="a") for n in range(9_000)]

    collector = collected(rows, most_values=50, buckets=8)

    values = told(collector, "path")
    buckets = {value for value in values if value.startswith("~")}
    assert buckets == {f"~{n}" for n in range(8)}
    # Of the 850 others one in a hundred is taken for one of the first.
    assert 50 <= len(values - buckets) <= 50 + 850 * 0.03
    assert sum(total.count for total in collector.totals()) == 9_000
    assert collector.folding.folded > 0


def test_the_first_values_keep_series_of_their_own() -> None:
    rows = [row(path=f"/p/{n}") for n in range(1_000)] + [row(path="/p/3")] * 5

    collector = collected(rows, most_values=50)

    (third,) = (total for total in collector.totals() if ("path", "/p/3") in total.labels)
    assert third.count == 6.0


def test_a_value_that_never_comes_back_is_told_as_other() -> None:
    rows = [row(request=f"id-{n}") for n in range(5_000)]

    collector = collected(rows, most_values=50, buckets=8, unique_after=500)

    assert "~other" in told(collector, "request")
    assert collector.folding.unique > 4_000


def test_kept_labels_are_never_folded_and_dropped_ones_are_left_out() -> None:
    rows = [row(service=f"s{n}", pod=f"p{n}") for n in range(500)]

    collector = collected(rows, most_values=5, drop=frozenset({"pod"}))

    assert len(collector) == 500
    assert told(collector, "pod") == {""}


def test_the_distinct_values_of_each_label_are_estimated() -> None:
    collector = collected([row(path=f"/p/{n}") for n in range(10_000)])

    estimate = collector.folding.values()["calls", "path"]

    assert abs(estimate / 10_000 - 1) < 4 * Distinct.ERROR


def test_too_many_labels_are_left_out() -> None:
    collector = collected([row(**{f"label{n}": "x"}) for n in range(20)], most_labels=5)

    assert len(collector) == 6
    assert collector.folding.dropped == 15


@pytest.mark.parametrize("budget", [Budget(most_series=10), Budget(most_bytes=6_000)])
def test_beyond_the_budget_a_metric_has_one_series_more(budget: Budget) -> None:
    collector = Collector(budget=budget)

    collector.take([row(service=f"s{n % 100}") for n in range(1_000)], at_s=0.0)

    totals = list(collector.totals())
    (overflow,) = (total for total in totals if OVERFLOW in total.labels)
    assert len(totals) <= 16
    assert sum(total.count for total in totals) == 1_000
    assert collector.overflowed == overflow.count


def test_a_small_cache_changes_nothing_but_the_work() -> None:
    rows = [row(service=f"s{n % 50}") for n in range(1_000)]
    collector = Collector(budget=Budget(cached_sets=8))

    collector.take(rows, at_s=0.0)

    assert [total.count for total in collector.totals()] == [20.0] * 50


def test_an_idle_series_makes_room_and_begins_again_at_zero() -> None:
    collector = Collector(budget=Budget(idle_s=60.0))
    collector.take([row(service="old"), row(service="new")], at_s=0.0)
    collector.tidy(at_s=0.0)
    collector.take([row(service="new")], at_s=50.0)

    collector.tidy(at_s=100.0)
    collector.take([row(5.0, service="third"), row(service="old")], at_s=101.0)

    assert collector.evicted == 1
    told = {dict(total.labels)["service"]: total.sum for total in collector.totals()}
    assert told == {"new": 2.0, "third": 5.0, "old": 1.0}


def test_after_a_while_new_values_are_first_values_again() -> None:
    collector = Collector(rules=FoldingRules(most_values=1), budget=Budget(idle_s=60.0))
    collector.take([row(pod="a"), row(pod="b")], at_s=0.0)
    collector.tidy(at_s=0.0)

    collector.tidy(at_s=61.0)
    collector.take([row(pod="c")], at_s=62.0)

    assert told(collector, "pod") == {"c"}


def test_secrets_do_not_become_labels_and_text_is_escaped() -> None:
    collector = collected([row(2.0, path='/a?password=hunter2&b="\n')])

    text = "".join(exposition(collector.totals()))

    assert "hunter2" not in text
    assert text.startswith("# TYPE calls summary\ncalls_sum{path=")
    assert text.count("\n") == 3
