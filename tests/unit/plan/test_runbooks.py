"""Runbooks: which one fits, what it asks for, and files that cannot be used."""

from datetime import UTC, datetime
from importlib.resources import files

import pytest
import yaml

from opsmith.errors import BadInput
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Channel
from opsmith.nouns.entity import Entity
from opsmith.nouns.incident import Blame
from opsmith.nouns.plan import CheckKind
from opsmith.plan.runbooks import Case, Runbook, checks, fitting, orders, runbooks_from

ONSET = datetime(2026, 1, 1, tzinfo=UTC)
STEP = {"action": "config.set", "target": "{cause}", "values": {"key": "POOL", "value": "80"}}
GROW = {
    "name": "grow",
    "kinds": ["pool.exhausted"],
    "entities": "service:*",
    "when": {"confidence_above": 0.5, "evidence": ["resource"]},
    "steps": [STEP],
    "checks": [
        {"kind": "alerts_quiet", "within_s": 100, "holds_s": 10},
        {"kind": "within_forecast", "subject": "rate(x[5m])"},
    ],
}


def case(
    *,
    entity: str = "service:cart",
    kind: CauseKind = CauseKind.POOL_EXHAUSTED,
    confidence: float = 0.9,
    evidence: frozenset[Channel] = frozenset({Channel.RESOURCE}),
) -> Case:
    return Case(
        blame=Blame(entity=Entity.parse(entity), kind=kind),
        confidence=confidence,
        evidence=evidence,
        alerting=Entity.service("front"),
        silences=((CheckKind.QUIET, "ALERTS{}"),),
        onset=ONSET,
    )


def read(*runbooks: object) -> tuple[Runbook, ...]:
    return runbooks_from({"version": 1, "runbooks": list(runbooks)})


def choose(known: tuple[Runbook, ...], case: Case) -> Runbook | None:
    return next(iter(fitting(known, case)), None)


def test_the_first_runbook_that_fits_is_taken() -> None:
    any_pool = {**GROW, "name": "any", "when": {}, "entities": "*"}
    known = read(GROW, any_pool)

    assert (choose(known, case()) or known[1]).name == "grow"
    assert (choose(known, case(confidence=0.5)) or known[0]).name == "any"
    assert (choose(known, case(evidence=frozenset())) or known[0]).name == "any"
    assert (choose(known, case(entity="host:db")) or known[0]).name == "any"
    assert choose(known, case(kind=CauseKind.DISK_FULL)) is None


def test_a_placeholder_is_a_whole_name_of_the_case() -> None:
    steps = [
        {**STEP, "target": where}
        for where in ("{cause}", "{alerting}", "{caller}", "{callee}", "host:bastion")
    ]
    (runbook,) = read({**GROW, "entities": "*", "steps": steps})

    made = orders(runbook, case(entity="edge:cart->pay"))

    assert [str(one.target) for one in made] == [
        "edge:cart->pay",
        "service:front",
        "service:cart",
        "service:pay",
        "host:bastion",
    ]
    assert made[0].values == {"key": "POOL", "value": "80"}


def test_a_name_that_the_case_has_not_is_said() -> None:
    (runbook,) = read({**GROW, "steps": [{**STEP, "target": "{caller}"}]})

    with pytest.raises(BadInput, match="caller"):
        orders(runbook, case())


def test_checks_are_its_own_and_the_silence_of_each_alert() -> None:
    (runbook,) = read(GROW)

    band, quiet = checks(runbook, case())

    assert (band.kind, band.since) == (CheckKind.WITHIN_BAND, ONSET)
    assert (quiet.subject, quiet.within_s, quiet.holds_s) == ("ALERTS{}", 100, 10)


def test_without_alerts_quiet_only_its_own_checks_count() -> None:
    own = [{"kind": "http_ok", "subject": "http://cart/healthz"}]
    (runbook,) = read({**GROW, "checks": own})

    assert [one.kind for one in checks(runbook, case())] == [CheckKind.HTTP_OK]


def test_values_keep_their_types_and_lists_are_texts() -> None:
    values = {"a": 1, "b": 1.5, "c": True, "d": ["x", "y"]}
    (runbook,) = read({**GROW, "steps": [{**STEP, "values": values}]})

    assert runbook.steps[0].values == {"a": 1, "b": 1.5, "c": True, "d": ("x", "y")}


def test_what_ships_can_be_read() -> None:
    text = (files("opsmith.plan") / "default_runbooks.yaml").read_text(encoding="utf-8")

    assert all(one.alerts_quiet for one in runbooks_from(yaml.safe_load(text)))


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"version": 2, "runbooks": []}, "version: 1"),
        ({"version": 1, "runbooks": {}}, "must be a list"),
        ({"version": 1, "runbooks": [GROW, GROW]}, "one name"),
        ({"version": 1, "runbooks": [{**GROW, "name": ""}]}, "no name"),
        ({"version": 1, "runbooks": [{**GROW, "colour": 1}]}, "colour"),
        ({"version": 1, "runbooks": [{**GROW, "kinds": ["flu"]}]}, "flu"),
        ({"version": 1, "runbooks": [{**GROW, "checks": []}]}, "not checked"),
        ({"version": 1, "runbooks": [{**GROW, "steps": []}]}, "not checked"),
        ({"version": 1, "runbooks": [{**GROW, "steps": [{"action": "a.b"}]}]}, "a target"),
        ({"version": 1, "runbooks": [{**GROW, "steps": [{**STEP, "target": "{x}"}]}]}, "no place"),
        ({"version": 1, "runbooks": [{**GROW, "steps": [{**STEP, "target": "cart"}]}]}, "TYPE"),
        ({"version": 1, "runbooks": [{**GROW, "steps": [{**STEP, "values": [1]}]}]}, "mapping"),
        (
            {"version": 1, "runbooks": [{**GROW, "steps": [{**STEP, "values": {"a": None}}]}]},
            "a value is",
        ),
        ({"version": 1, "runbooks": [{**GROW, "checks": [{"kind": "http_ok"}]}]}, "subject"),
        ({"version": 1, "runbooks": [{**GROW, "checks": [{"subject": "x"}]}]}, "kind"),
        (
            {
                "version": 1,
                "runbooks": [{**GROW, "checks": [{"kind": "alerts_quiet", "holds_s": -1}]}],
            },
            "0 or more",
        ),
        ({"version": 1, "runbooks": [{**GROW, "when": {"confidence_above": "x"}}]}, "0 or more"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(document: object, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        runbooks_from(document)
