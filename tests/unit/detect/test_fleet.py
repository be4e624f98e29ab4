"""A fleet has names, labels, words and a state that survives a restart."""

import numpy as np
import pytest

from opsmith.detect.claims import claim
from opsmith.detect.fleet import CODES, Fleet
from opsmith.detect.labels import LEAST, MOST, moved_strictness
from opsmith.detect.state import from_bytes, to_bytes
from opsmith.detect.step import ANSWER, CODE, SCORE, THRESHOLD
from opsmith.errors import BadInput
from opsmith.nouns.anomaly import Label, Verdict

RNG = np.random.default_rng(21)


def noise(points: int) -> np.ndarray:
    return np.stack(
        (1.7e9 + 60.0 * np.arange(points), np.random.default_rng(22).normal(size=points)), axis=1
    )


def warmed(points: int = 400) -> Fleet:
    fleet = Fleet()
    fleet.row("s")
    fleet.take(np.zeros(points, np.int64), noise(points))
    return fleet


def test_a_restored_fleet_goes_on_without_a_jump() -> None:
    samples = noise(600)
    whole = Fleet()
    whole.row("s")
    expected = whole.take(np.zeros(600, np.int64), samples)[400:]
    restored = Fleet()

    restored.restore(warmed(400).to_bytes())

    assert restored.keys == ["s"]
    assert np.array_equal(restored.take(np.zeros(200, np.int64), samples[400:]), expected)


def test_the_state_of_a_series_is_compact() -> None:
    assert Fleet().state.bytes_a_series <= 8 * 1024


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:0],
        lambda data: data[:-1],
        lambda data: b"x" + data[1:],
        lambda data: data[:14] + b"\xff" + data[15:],
    ],
)
def test_bytes_that_are_no_state_of_this_version_are_refused(spoil) -> None:  # noqa: ANN001
    with pytest.raises(BadInput):
        from_bytes(spoil(to_bytes(Fleet().state)))


def test_a_state_that_names_other_series_is_refused() -> None:
    data = warmed().to_bytes()
    names = b"a\nb"
    with pytest.raises(BadInput):
        Fleet().restore(len(names).to_bytes(8, "little") + names + data[9:])


def test_a_fleet_grows_with_its_series() -> None:
    fleet = Fleet()

    rows = [fleet.row(str(n)) for n in range(40)]

    assert rows == list(range(40))
    assert fleet.row("7") == 7
    assert fleet.push(39, 1.0, 1.0) is Verdict.WARMING


def test_series_do_not_disturb_each_other() -> None:
    alone, samples = warmed(300), noise(300)
    both = Fleet()
    both.row("a"), both.row("s")
    rows = np.tile(np.array([0, 1]), 300)
    mixed = np.repeat(samples, 2, axis=0)
    mixed[::2, 1] = RNG.normal(100, 50, size=300)

    both.take(rows, mixed)

    assert np.array_equal(both.state.scalars[1], alone.state.scalars[0], equal_nan=True)


def test_a_false_label_raises_the_threshold_above_that_alarm_and_a_true_one_lowers_it() -> None:
    fleet = warmed()
    sample = np.array([[1.8e9, 1.0]])
    before = fleet.take(np.zeros(1, np.int64), sample)[0, THRESHOLD]

    multiplier = fleet.label(0, Label.FALSE, score=0.5)

    sample[0, 0] += 60
    after = fleet.take(np.zeros(1, np.int64), sample)[0, THRESHOLD]
    assert multiplier > 1.0
    assert after > 0.5 > before
    assert fleet.label(0, Label.TRUE, score=0.5) < multiplier


def test_no_number_of_labels_makes_a_series_mute_or_frantic() -> None:
    high = low = 1.0
    for _ in range(50):
        high = moved_strictness(high, Label.FALSE, 9.0)
        low = moved_strictness(low, Label.TRUE, 1.0)

    assert (low, high) == (LEAST, MOST)


def test_an_alarm_says_what_it_saw_with_figures() -> None:
    fleet = warmed()

    verdict = fleet.push(0, 1.8e9, 50.0)

    told = fleet.last()
    assert verdict is told.verdict is Verdict.ALARM
    assert told.claim.startswith("50 is unusual: ")
    assert "expected" in told.claim
    assert told.low is not None
    assert told.low < told.expected < told.high
    assert sum(share for _, share in told.views) == pytest.approx(1.0)
    assert len(told.id) == 12


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_sentence(verdict: Verdict) -> None:
    fleet = warmed(5)
    answer = np.zeros(ANSWER)
    answer[CODE] = CODES.index(verdict)
    answer[SCORE] = 0.5
    answer[5:7] = -np.inf, np.inf

    told = fleet.told(0, np.array([np.inf, 2e7, np.nan, np.nan]), answer)

    assert claim(told, usual=1.0).claim.endswith(".")


def test_numbers_and_shapes_that_do_not_fit_are_refused() -> None:
    fleet = warmed(5)

    with pytest.raises(BadInput):
        fleet.take(np.array([3]), np.zeros((1, 2)))
    with pytest.raises(BadInput):
        fleet.take(np.array([0]), np.zeros((1, 3)))
    with pytest.raises(BadInput):
        Fleet(threshold=0.0)


def test_a_state_of_the_version_before_goes_on_without_a_jump() -> None:
    fleet = warmed()
    state = fleet.state._replace(masses=fleet.state.masses.transpose(0, 2, 1))
    data = to_bytes(state)

    read = from_bytes(data[:14] + b"\x02" + data[15:])

    for before, after in zip(fleet.state, read, strict=True):
        assert np.array_equal(before, after, equal_nan=True)
