"""Adaptive sampling: shares by rate, no flicker, no bias."""

import math
from random import Random

import pytest

from opsmith.errors import BadInput
from opsmith.ingest.thinning import Step, Thinning, ThinningRules


def run(
    thinning: Thinning, *, rate: int, seconds: int, start_s: int = 0, stream: str = "a"
) -> list[float]:
    """The share kept in each second of a steady stream."""
    shares = []
    for second in range(start_s, start_s + seconds):
        for number in range(rate):
            thinning.weight(stream, 0.5, now_s=second + number / rate)
        shares.append(thinning.shares()[stream][1])
    return shares


def test_a_calm_stream_is_kept_whole() -> None:
    assert set(run(Thinning(ThinningRules()), rate=90, seconds=300)) == {1.0}


def test_a_busy_stream_is_kept_in_part_once_its_average_says_so() -> None:
    shares = run(Thinning(ThinningRules()), rate=200, seconds=200)

    # 200 (1 - exp(-t / 60)) passes 100 after 42 seconds.
    assert shares[35] == 1.0
    assert shares[50] == 0.1
    assert set(shares[50:]) == {0.1}


def test_a_flood_is_kept_in_hundredths_and_a_calm_after_it_whole_again() -> None:
    rules = ThinningRules(
        steps=(
            Step(up_to=10, share=1),
            Step(up_to=50, share=0.1),
            Step(up_to=math.inf, share=0.01),
        )
    )
    thinning = Thinning(rules)

    assert run(thinning, rate=100, seconds=200)[-1] == 0.01
    assert run(thinning, rate=1, seconds=400, start_s=200)[-1] == 1.0


def test_a_rate_between_the_bounds_keeps_the_share_it_had() -> None:
    thinning = Thinning(ThinningRules())

    assert set(run(thinning, rate=95, seconds=600)) == {1.0}
    run(thinning, rate=300, seconds=300, start_s=600)

    assert set(run(thinning, rate=95, seconds=600, start_s=900)[300:]) == {0.1}
    assert run(thinning, rate=70, seconds=600, start_s=1_500)[-1] == 1.0


def test_events_of_one_chance_stay_together() -> None:
    rules = ThinningRules(steps=(Step(up_to=math.inf, share=0.5),))

    weights = [Thinning(rules).weight(stream, 0.4, now_s=0.0) for stream in ("a", "b")]

    assert weights == [2.0, 2.0]
    assert Thinning(rules).weight("a", 0.6, now_s=0.0) == 0.0


def test_weighted_counts_and_sums_are_unbiased_over_a_changing_rate() -> None:
    rng, thinning = Random(3), Thinning(ThinningRules())
    count = total = variance = true_total = 0.0
    events = 0
    for second in range(120):
        for number in range(50 if second < 40 else 1_000):
            value = rng.expovariate(1.0)
            weight = thinning.weight("a", rng.random(), now_s=second + number / 1_000)
            events, true_total = events + 1, true_total + value
            count, total = count + weight, total + weight * value
            # Horvitz & Thompson: (1 - p) / p^2 a kept event.
            variance += weight * (weight - 1.0) if weight else 0.0

    assert abs(count - events) < 4 * math.sqrt(variance)
    assert abs(total - true_total) < 4 * math.sqrt(2 * variance)
    assert thinning.seen == events
    assert thinning.kept < events / 3


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step(up_to=5, share=1), Step(up_to=5, share=0.1)),
        (Step(up_to=9, share=1), Step(up_to=5, share=0.1)),
        (Step(up_to=5, share=0),),
        (Step(up_to=5, share=1.5),),
    ],
)
def test_rules_that_cannot_be_are_refused(steps: tuple[Step, ...]) -> None:
    with pytest.raises(BadInput):
        ThinningRules(steps=steps)


def test_above_the_last_bound_the_last_share_stays() -> None:
    thinning = Thinning(ThinningRules(steps=(Step(up_to=1, share=0.5),)))

    assert run(thinning, rate=100, seconds=100)[-1] == 0.5


def test_the_streams_beyond_the_bound_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsmith.ingest.thinning.MOST_STREAMS", 2)
    thinning = Thinning(ThinningRules())

    for number in range(10):
        thinning.weight(f"s{number}", 0.0, now_s=0.0)

    assert set(thinning.shares()) == {"s0", "s1", None}
