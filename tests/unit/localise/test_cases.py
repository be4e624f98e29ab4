"""A new incident resembles the past ones that rang alike."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsmith.localise.cases import Case, resemblance
from opsmith.nouns.entity import Entity

A, B = Entity.service("a"), Entity.service("b")
words = st.frozensets(st.sampled_from("stuvwxyz"), max_size=6)


def test_the_same_storm_is_as_like_as_can_be_and_a_stranger_not_at_all() -> None:
    cases = [
        Case(alerts=frozenset({"x", "y"}), causes=(A,)),
        Case(alerts=frozenset({"z"}), causes=(B,)),
    ]

    alike = resemblance({"x", "y"}, cases)

    assert alike[A].nearest == pytest.approx(1)
    assert alike[B].nearest == 0


def test_a_rare_alert_in_common_counts_more_than_a_common_one() -> None:
    common = [Case(alerts=frozenset({"often", f"own{n}"}), causes=(A,)) for n in range(6)]
    rare = Case(alerts=frozenset({"often", "rare"}), causes=(B,))

    alike = resemblance({"often", "rare", "new"}, [*common, rare])

    assert alike[B].nearest > alike[A].nearest


def test_without_cases_or_alerts_nothing_is_alike() -> None:
    assert resemblance({"x"}, []) == {}
    assert resemblance(set(), [Case(alerts=frozenset({"x"}), causes=(A,))])[A].nearest == 0


@given(words, st.lists(words, min_size=1, max_size=5))
def test_the_likeness_is_the_cosine_of_the_weighed_sets(
    alerts: frozenset[str], past: list[frozenset[str]]
) -> None:
    cases = [Case(alerts=each, causes=(A,)) for each in past]

    found = resemblance(alerts, cases)[A]

    def slow(case: frozenset[str]) -> float:
        def weight(alert: str) -> float:
            return math.log((len(past) + 1) / (sum(alert in each for each in past) + 0.5))

        known = set().union(*past)
        vector = {a: weight(a) if a in alerts else 0.0 for a in sorted(known)}
        other = {a: weight(a) if a in case else 0.0 for a in sorted(known)}
        size = math.hypot(*vector.values(), 0) * math.hypot(*other.values(), 0)
        return sum(vector[a] * other[a] for a in known) / size if size > 0 else 0.0

    assert found.nearest == pytest.approx(max(slow(case) for case in past), abs=1e-9)
    assert found.together == pytest.approx(sum(slow(case) ** 2 for case in past), abs=1e-9)
