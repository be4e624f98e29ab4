"""Autonomy is earned by a record and lost by it."""

from datetime import UTC, datetime, timedelta

import pytest

from opsmith.nouns.plan import Autonomy, Denied, Grant, Tried
from opsmith.plan.autonomy import grant, lower_bound, standing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AUTO = Grant(action="dial.turn", level=Autonomy.AUTO, by="ada", at=NOON)


def tried(outcomes: str, *, shadow: bool = False, since: datetime = NOON) -> list[Tried]:
    """One trial a sign: `+` helped, `-` did not."""
    return [
        Tried(
            action="dial.turn",
            plan=f"p{n}",
            helped=one == "+",
            at=since + timedelta(minutes=n),
            shadow=shadow,
        )
        for n, one in enumerate(outcomes)
    ]


def asked(level: Autonomy, *record: Tried) -> Grant | Denied:
    return grant("dial.turn", level, record, by="ada", at=NOON)


def test_auto_is_granted_only_to_a_record_that_bears_it() -> None:
    assert isinstance(asked(Autonomy.AUTO), Denied)
    assert isinstance(asked(Autonomy.AUTO, *tried("++++++")), Denied)
    assert isinstance(asked(Autonomy.AUTO, *tried("+++++++")), Grant)
    assert isinstance(asked(Autonomy.AUTO, *tried("+++++++++-")), Denied)


def test_shadow_trials_count_towards_the_record() -> None:
    assert isinstance(asked(Autonomy.AUTO, *tried("+++++++", shadow=True)), Grant)


def test_less_may_always_be_asked_for() -> None:
    assert isinstance(asked(Autonomy.SHADOW), Grant)
    assert isinstance(asked(Autonomy.ASK, *tried("--")), Grant)


def test_the_record_of_another_action_does_not_count() -> None:
    other = [Tried(action="dial.spin", plan="p", helped=True, at=NOON)] * 20

    assert isinstance(asked(Autonomy.AUTO, *other), Denied)


def test_two_bad_outcomes_since_the_leave_end_it_one_does_not() -> None:
    assert standing("dial.turn", tried("+-+"), AUTO).level is Autonomy.AUTO
    lost = standing("dial.turn", tried("-+-"), AUTO)
    assert lost.level is Autonomy.ASK
    assert "2 bad outcomes" in lost.why


def test_what_was_bad_before_the_leave_is_forgiven_and_shadows_do_no_harm() -> None:
    before = tried("--", since=NOON - timedelta(days=1))
    shadows = tried("--", shadow=True)

    assert standing("dial.turn", [*before, *shadows], AUTO).level is Autonomy.AUTO


def test_by_default_a_class_asks_and_what_was_set_lower_holds() -> None:
    assert standing("dial.turn", [], None).level is Autonomy.ASK
    low = Grant(action="dial.turn", level=Autonomy.SHADOW, by="ada", at=NOON)
    assert standing("dial.turn", [], low).level is Autonomy.SHADOW


@pytest.mark.parametrize(
    ("good", "total", "bound"), [(0, 0, 0.0), (0, 5, 0.0), (5, 10, 0.312), (10, 10, 0.859)]
)
def test_the_bound_is_wilsons(good: int, total: int, bound: float) -> None:
    assert lower_bound(good, total) == pytest.approx(bound, abs=0.001)
