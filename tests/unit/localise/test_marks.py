"""Which alerts rang around a candidate, and what a user's own past makes of them."""

import math

import numpy as np
from builders.storms import BANK, EVERYONE, HOST, INSTANCES, SHOP, call_alert, metric_alert, storm

from opsmith.localise.marks import HALF_TAUGHT, fit_marks, mark_scores, marks_of


def test_an_alert_marks_whom_it_rang_on_and_who_stands_beside() -> None:
    marks = dict(zip(EVERYONE, marks_of(storm(metric_alert(INSTANCES[0])), EVERYONE), strict=True))

    told = "metric|cpu|up|instance||cpu_usage"
    assert marks[INSTANCES[0]][f"self|{told}"] == 1.0
    assert marks[INSTANCES[0]][f"@{INSTANCES[0]}|self|{told}"] == 1.0
    assert marks[INSTANCES[1]][f"sibling|{told}"] == 1.0
    assert marks[SHOP][f"instance|{told}"] == 1.0
    assert marks[HOST][f"hosted|{told}"] == 1.0
    assert marks[BANK].keys() == {"type|service", f"@{BANK}"}


def test_a_call_marks_both_its_ends() -> None:
    marks = dict(zip(EVERYONE, marks_of(storm(call_alert(SHOP, BANK)), EVERYONE), strict=True))

    assert any(mark.startswith("self<-caller|") for mark in marks[BANK])
    assert any(mark.startswith("callee<-self|") for mark in marks[SHOP])
    assert any(mark.endswith(f"{BANK}<-{SHOP}") for mark in marks[SHOP])


def test_alerts_of_one_sort_count_with_their_logarithm() -> None:
    marks = marks_of(storm(*map(metric_alert, INSTANCES)), (HOST,))[0]

    assert marks["hosted|metric|cpu|up|instance||cpu_usage"] == 1.0 + math.log(4)


def test_the_same_alert_twice_marks_once() -> None:
    once, twice = (marks_of(storm(*[metric_alert(HOST)] * n), EVERYONE) for n in (1, 2))

    assert once == twice


def test_what_tells_the_culprits_gains_weight_and_belief_grows_with_the_past() -> None:
    told, other = {"loud": 1.0}, {"usual": 1.0}
    incident = ([told, other, other], np.array([True, False, False]))

    few, many = fit_marks([incident] * 3), fit_marks([incident] * 60)

    assert 0.0 < few["loud"] < many["loud"]
    assert few["usual"] < 0.0
    assert mark_scores(incident[0], many).argmax() == 0
    assert few["loud"] < 3 / (3 + HALF_TAUGHT)


def test_a_mark_that_names_somebody_gains_less_than_one_that_holds_for_all() -> None:
    incident = ([{"x": 1.0, "@service:a|x": 1.0}, {"y": 1.0}], np.array([True, False]))

    weights = fit_marks([incident] * 20)

    assert 0.0 < weights["@service:a|x"] < weights["x"]


def test_incidents_without_a_cause_teach_nothing() -> None:
    taught = ([{"x": 1.0}, {"y": 1.0}], np.array([True, False]))

    assert fit_marks([taught, ([{"x": 1.0}], np.array([False]))]) == fit_marks([taught])
