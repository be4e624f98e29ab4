from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from builders.incidents import ONSET, ORDERS, WINDOW, series
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsmith.explain.plots import HEIGHT, WIDTH, Frame, bars, plot
from opsmith.explain.story import Plot
from opsmith.nouns.diagnosis import Channel, Evidence
from opsmith.nouns.recording import Window
from opsmith.nouns.series import Aspect, MetricKind, Series, Unit

FRAME = Frame(window=WINDOW, reference=(), onset=ONSET)
NO_FRAME = Frame(window=None, reference=(), onset=None)


def of(values: list[float] | np.ndarray, kind: MetricKind = MetricKind.GAUGE) -> Series:
    numbers = np.asarray(values, dtype=np.float64)
    return Series(
        name="m",
        labels=(),
        entity=None,
        aspect=Aspect.OTHER,
        unit=Unit.BYTES,
        kind=kind,
        times_s=ONSET.timestamp() + 10.0 * np.arange(numbers.size),
        values=numbers,
    )


def drawn(one: Series, frame: Frame = NO_FRAME) -> Plot:
    made = plot(one, frame)
    assert made is not None
    return made


def points(made: Plot) -> list[tuple[float, float]]:
    flat = " ".join(made.strokes).replace("M", " ").replace("L", " ").replace("h.1", "")
    numbers = [float(word) for word in flat.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_the_onset_and_what_was_usual_are_marked() -> None:
    made = drawn(series("m", ORDERS, before=10, after=100, unit=Unit.COUNT), FRAME)

    assert made.band is not None
    assert made.onset_x is not None
    assert 0 < made.onset_x < WIDTH
    assert "usually 9." in made.words
    assert "|" in made.ticks


def test_the_reference_of_the_recording_is_preferred_to_what_precedes_the_onset() -> None:
    after = Window(start=ONSET + timedelta(minutes=5), end=ONSET + timedelta(minutes=10))

    made = drawn(
        series("m", ORDERS, before=10, after=100, unit=Unit.COUNT),
        replace(FRAME, reference=(after,)),
    )

    assert "usually 100" in made.words or "usually 99" in made.words


def test_an_onset_outside_the_plot_is_not_marked() -> None:
    early = replace(FRAME, window=None, onset=datetime(2020, 1, 1, tzinfo=UTC))

    made = drawn(series("m", ORDERS, before=1, after=2), early)

    assert made.onset_x is None
    assert made.band is None
    assert "|" not in made.ticks


def test_a_counter_is_drawn_as_its_rate_and_a_reset_starts_from_zero() -> None:
    made = drawn(of([0, 100, 200, 50, 150], MetricKind.COUNTER))

    assert (made.low, made.high) == ("5 B/s", "10 B/s")


def test_a_gap_breaks_the_line_and_a_lone_value_is_a_dot() -> None:
    made = drawn(of([1, 2, np.nan, 3, np.nan, 4, 5]))

    assert len(made.strokes) == 3
    assert made.strokes[1].endswith("h.1")
    assert " " in made.ticks


def test_a_hole_in_time_breaks_the_line_too() -> None:
    one = of([1.0, 2, 3, 4, 5, 6])
    times = one.times_s.copy()
    times[3:] += 1000

    assert len(drawn(replace(one, times_s=times)).strokes) == 2


def test_a_flat_line_is_drawn_in_the_middle() -> None:
    heights = {y for _, y in points(drawn(of([7.0] * 20)))}

    assert heights == {HEIGHT / 2}


def test_nothing_is_drawn_of_nothing() -> None:
    assert plot(of([np.nan, np.nan]), NO_FRAME) is None
    assert plot(of([]), FRAME) is None


def test_a_peak_survives_thinning() -> None:
    values = np.ones(5000)
    values[3333] = 100

    made = drawn(of(values))

    assert min(y for _, y in points(made)) == 5.0
    assert len(points(made)) <= 240


def test_a_day_of_samples_is_shown_around_the_incident() -> None:
    times = ONSET.timestamp() + np.arange(-80000.0, 5000.0, 10.0)
    one = replace(of(np.ones(times.size)), times_s=times)

    assert drawn(one, FRAME).start == "02:27:40"


@given(
    arrays(
        np.float64,
        st.integers(1, 300),
        elements=st.floats(-1e12, 1e12) | st.just(float("nan")),
    )
)
def test_every_line_stays_inside_its_box(values: np.ndarray) -> None:
    made = plot(of(values), FRAME)

    assert (made is None) == bool(np.isnan(values).all())
    if made is not None:
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points(made))


def test_bars_compare_by_the_longer_one_and_need_two_figures() -> None:
    fact = Evidence(
        channel=Channel.RESOURCE,
        claim="c",
        strength=1.0,
        entity=ORDERS,
        unit="seconds",
        before=1.0,
        after=4.0,
    )

    made = bars(fact)

    assert made is not None
    assert (made.before_share, made.after_share) == (0.25, 1.0)
    assert bars(replace(fact, before=None)) is None
    assert bars(replace(fact, after=float("nan"))) is None
    zero = bars(replace(fact, before=0.0, after=0.0))
    assert zero is not None
    assert zero.after_share == 0
