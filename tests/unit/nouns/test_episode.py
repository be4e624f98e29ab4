from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState, advance
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def alert(start: float = 0, end: float | None = None) -> Alert:
    return Alert(
        fingerprint="f",
        name="Slow",
        entity=Entity.service("cart"),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="latency",
        severity="critical",
        starts_at=T0 + timedelta(seconds=start),
        ends_at=None if end is None else T0 + timedelta(seconds=end),
    )


def told(*arrivals: Alert) -> Episode:
    episode: Episode | None = None
    for second, arrival in enumerate(arrivals):
        now = T0 + timedelta(seconds=second)
        episode = advance(episode, arrival, now=now) or episode
    assert episode is not None
    return episode


def test_a_repeat_changes_nothing() -> None:
    episode = told(alert())

    assert advance(episode, alert(), now=T0) is None


def test_a_resolved_message_ends_the_round() -> None:
    episode = told(alert(), alert(end=30))

    assert (episode.state, episode.round) == (EpisodeState.RESOLVED, 1)


def test_a_later_start_is_a_new_round_even_if_resolved_never_came() -> None:
    assert told(alert(), alert(start=60)).round == 2


def test_a_whole_round_that_was_missed_counts() -> None:
    episode = told(alert(), alert(end=30), alert(start=60, end=90))

    assert (episode.state, episode.round) == (EpisodeState.RESOLVED, 2)


def test_old_news_is_dropped() -> None:
    episode = told(alert(start=60))

    assert advance(episode, alert(start=0), now=T0) is None
    assert advance(episode, alert(start=0, end=30), now=T0) is None


def test_firing_again_with_the_same_start_is_a_new_round() -> None:
    episode = told(alert(), alert(end=30), alert())

    assert (episode.state, episode.round) == (EpisodeState.FIRING, 2)


def test_two_quick_rounds_are_flapping_and_slow_ones_are_not() -> None:
    quick = told(alert(), alert(end=1), alert(start=2), alert(start=2, end=3))
    slow: Episode | None = None
    for minute, arrival in enumerate([alert(), alert(end=1), alert(start=2), alert(2, 3)]):
        slow = advance(slow, arrival, now=T0 + timedelta(minutes=10 * minute))

    assert quick.flapping
    assert slow is not None
    assert not slow.flapping


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=30))
def test_the_start_never_goes_back(arrivals: list[tuple[int, bool]]) -> None:
    episode: Episode | None = None
    for start, resolved in arrivals:
        arrival = alert(start=start, end=start + 0.5 if resolved else None)
        after = advance(episode, arrival, now=T0) or episode
        assert after is not None
        if episode is not None:
            assert after.alert.starts_at is not None
            assert episode.alert.starts_at is not None
            assert after.alert.starts_at >= episode.alert.starts_at
            assert after.round >= episode.round
        episode = after
