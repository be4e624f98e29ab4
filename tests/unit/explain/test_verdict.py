import re
from dataclasses import replace
from datetime import UTC, datetime

from builders.incidents import ONSET, healthy, inconclusive, pool_exhausted
from hypothesis import given
from hypothesis import strategies as st

from opsmith.explain.verdict import verdict
from opsmith.explain.words import percent
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Path, Status
from opsmith.nouns.entity import Entity


@given(
    confidence=st.floats(0, 1),
    onset=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    kind=st.sampled_from(CauseKind),
    status=st.sampled_from([Status.DIAGNOSED, Status.INCONCLUSIVE]),
)
def test_every_number_in_the_verdict_comes_from_the_diagnosis(
    confidence: float, onset: datetime, kind: CauseKind, status: Status
) -> None:
    found = pool_exhausted().diagnosis
    cause = replace(found.causes[0], confidence=confidence, kind=kind)
    diagnosis = replace(found, causes=(cause,), onset=onset, status=status, reasons=())

    known = f"{percent(confidence)} {onset:%Y-%m-%d %H:%M:%S}"

    assert set(re.findall(r"\d+", verdict(diagnosis))) <= set(re.findall(r"\d+", known))


def test_the_verdict_names_cause_kind_time_confidence_and_path() -> None:
    said = verdict(pool_exhausted().diagnosis)

    for part in (
        "database:orders",
        "every connection",
        "03:12:40 UTC",
        "87 %",
        "service:frontend",
    ):
        assert part in said


def test_a_cause_that_alerts_itself_needs_no_path() -> None:
    diagnosis = pool_exhausted().diagnosis
    cause = diagnosis.causes[0].entity
    alone = replace(diagnosis, path=Path(entities=(cause,), bottleneck=1.0), alerting=(cause,))

    assert "it is also where the alert fired" in verdict(alone)


def test_a_path_that_nobody_recorded_is_not_made_up() -> None:
    diagnosis = pool_exhausted().diagnosis
    alone = replace(diagnosis, path=Path(entities=(diagnosis.causes[0].entity,), bottleneck=1.0))

    assert "by which path it reached service:frontend is not known" in verdict(alone)
    assert verdict(replace(diagnosis, path=None)).endswith("UTC.")


def test_an_inconclusive_verdict_gives_the_reason_and_the_best_guess() -> None:
    said = verdict(inconclusive().diagnosis)

    assert "does not single out one cause: nothing stands out" in said
    assert "best guess is database:orders (29 % sure" in said


def test_a_lone_candidate_is_not_called_certain() -> None:
    diagnosis = inconclusive().diagnosis
    alone = replace(diagnosis, causes=(replace(diagnosis.causes[0], confidence=1.0),))

    said = verdict(alone)

    assert "sure" not in said
    assert said.endswith("could be looked at.")


def test_an_inconclusive_verdict_without_candidates_still_says_why() -> None:
    empty = replace(inconclusive().diagnosis, causes=(), reasons=("there is no evidence at all.",))

    assert verdict(empty).endswith("one cause: there is no evidence at all.")
    assert verdict(replace(empty, reasons=())).endswith("one cause.")


def test_a_healthy_verdict_says_that_nothing_is_ill() -> None:
    said = verdict(healthy().diagnosis)

    assert said.startswith("Nothing in this recording left its usual range: all 214 series")


def test_a_diagnosis_without_an_onset_names_no_time() -> None:
    assert f"{ONSET:%Y}" not in verdict(replace(pool_exhausted().diagnosis, onset=None))


def test_a_best_guess_of_unknown_kind_names_no_kind() -> None:
    found = inconclusive().diagnosis
    guess = replace(found.causes[0], entity=Entity.service("cart"), kind=CauseKind.UNKNOWN)

    assert "unknown" not in verdict(replace(found, causes=(guess,)))
