import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders.hostile import HOSTILE, NAMES, TEXTS
from builders.incidents import inconclusive, named, pool_exhausted
from hypothesis import given, settings

from opsmith.explain.checks import checks, promql
from opsmith.explain.story import Check
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Cause, Diagnosis, Status
from opsmith.nouns.entity import Entity, EntityKind
from opsmith.nouns.recording import Recording
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit


def checks_for(entity: Entity, kind: CauseKind) -> tuple[Check, ...]:
    found = Diagnosis(
        incident="x",
        status=Status.DIAGNOSED,
        causes=(Cause(entity=entity, kind=kind, score=1, confidence=1),),
        path=None,
        onset=pool_exhausted().diagnosis.onset,
    )
    return checks(found, Recording(name="x"), {})


ENTITIES = [
    Entity.edge("cart", "payments") if kind is EntityKind.EDGE else Entity(kind=kind, name="cart")
    for kind in EntityKind
]


@pytest.mark.parametrize("kind", CauseKind)
def test_every_kind_of_cause_has_something_to_look_at(kind: CauseKind) -> None:
    assert any(checks_for(entity, kind) for entity in ENTITIES)


def test_bash_can_read_every_command() -> None:
    bash = shutil.which("bash")
    assert bash
    commands = {c.command for e in ENTITIES for kind in CauseKind for c in checks_for(e, kind)}

    for command in sorted(commands):
        done = subprocess.run(
            [bash, "-n", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "{" not in command.replace("%{", "").replace("${", "").replace("{print", "")


def test_the_checks_name_the_entity_and_the_time() -> None:
    said = " ".join(c.command for c in checks_for(Entity.service("cart"), CauseKind.DEPLOY_BAD))

    assert "deployment/cart" in said
    assert "--since='2026-03-01 03:02:40 UTC'" in said
    assert "--since-time=2026-03-01T03:02:40Z" in said


def test_the_series_behind_the_evidence_can_be_asked_for_again() -> None:
    incident = pool_exhausted()
    by_key = {one.key: one for one in incident.recording.series}

    first = checks(incident.diagnosis, incident.recording, by_key)[0]

    words = shlex.split(first.command)
    assert words[:3] == ["promtool", "query", "range"]
    assert words[-1] == 'pg_stat_activity_count{instance="10.0.0.7:9187",job="orders"}'


def test_without_a_time_the_series_is_asked_for_now() -> None:
    incident = pool_exhausted()
    by_key = {one.key: one for one in incident.recording.series}

    first = checks(
        replace(incident.diagnosis, onset=None), replace(incident.recording, window=None), by_key
    )[0]

    assert first.command.startswith("promtool query instant ")


def test_an_open_answer_gives_checks_for_its_best_guesses() -> None:
    incident = inconclusive()

    whys = [check.why for check in checks(incident.diagnosis, incident.recording, {})]

    assert any(why.startswith("database:orders: ") for why in whys)
    assert any(why.startswith("edge:checkout->orders: ") for why in whys)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_no_argument_of_a_command(name: str) -> None:
    for kind in CauseKind:
        for check in checks_for(Entity.service(name), kind):
            assert name not in check.command


def test_a_command_with_a_hostile_series_does_nothing_but_ask(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    for text in HOSTILE:
        incident = named(text, text)
        by_key = {one.key: one for one in incident.recording.series}
        for check in checks(incident.diagnosis, incident.recording, by_key):
            if check.command.startswith("promtool"):
                script = f"promtool() {{ :; }}\n{check.command}"
                subprocess.run([bash, "-c", script], cwd=tmp_path, check=True)

    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(name=NAMES, text=TEXTS)
def test_an_expression_stays_one_word_for_the_shell(name: str, text: str) -> None:
    incident = named(name, text)
    by_key = {one.key: one for one in incident.recording.series}
    asked = checks(incident.diagnosis, incident.recording, by_key)[0].command

    words = shlex.split(asked.replace('"${PROMETHEUS_URL:-http://localhost:9090}"', "URL"))

    assert len(words) == 8
    assert (
        words[-1].startswith(("rate(", "{__name__="))
        or words[-1].split("{")[0].replace(":", "_").isidentifier()
    )


def series(name: str, kind: MetricKind, **labels: str) -> Series:
    return Series(
        name=name,
        labels=tuple(labels.items()),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.UNKNOWN,
        kind=kind,
        times_s=np.arange(2.0),
        values=np.arange(2.0),
    )


def test_promql_shows_gauges_as_they_are_counters_as_rates_and_odd_names_by_matcher() -> None:
    assert promql(series("up", MetricKind.GAUGE)) == "up"
    assert promql(series("hits", MetricKind.COUNTER, job='a"b')) == r'rate(hits{job="a\"b"}[5m])'
    assert promql(series("a.b", MetricKind.GAUGE)) == '{__name__="a.b"}'
    odd = replace(series("up", MetricKind.GAUGE), labels=(("a.b", "x"), ("c", "d")))
    assert promql(odd) == 'up{c="d"}'
