import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from opsmith.localise.grouping import (
    JOIN_FOR,
    MOST_NAMED,
    home,
    joined,
    merged,
    neighbours,
    opened,
    places,
    settled,
    similar,
    split,
)
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import Blame, Incident, IncidentState
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAIN = [Entity.service(name) for name in ("front", "cart", "orders", "db", "far")]
TOPOLOGY = Topology(
    entities=(*CHAIN, Entity.service("island")),
    edges=tuple(
        Edge(source=a, target=b, kind=EdgeKind.CALLS) for a, b in itertools.pairwise(CHAIN)
    ),
)
BESIDE = neighbours(TOPOLOGY)


def episode(name: str, *, fires: bool = True, at: datetime = NOW) -> Episode:
    alert = Alert(
        fingerprint=f"of-{name}",
        name="Slow",
        entity=Entity.service(name),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=at,
        ends_at=None if fires else at,
    )
    state = EpisodeState.FIRING if fires else EpisodeState.RESOLVED
    return Episode(alert=alert, state=state, first_seen=at, turns=(at,))


def incident(name: str, *, at: datetime = NOW) -> Incident:
    return opened(episode(name), now=at)


def home_of(entity: Entity, incidents: list[Incident], *, now: datetime) -> Incident | None:
    return home(entity, places(incidents, now=now), beside=BESIDE)


def test_an_alert_near_an_open_incident_joins_it() -> None:
    first = incident("cart")

    assert home_of(Entity.service("front"), [first], now=NOW) == first
    assert home_of(Entity.service("db"), [first], now=NOW) == first


def test_an_alert_far_away_or_on_an_island_opens_its_own() -> None:
    assert home_of(Entity.service("far"), [incident("front")], now=NOW) is None
    assert home_of(Entity.service("island"), [incident("cart")], now=NOW) is None


def test_an_entity_that_nobody_knows_joins_by_time() -> None:
    first = incident("cart")

    assert home_of(Entity.service("new"), [first], now=NOW) == first
    assert home_of(Entity.service("cart"), [incident("new")], now=NOW) is not None


def test_a_quiet_or_ended_incident_takes_no_more() -> None:
    first = incident("cart")
    ended = replace(first, state=IncidentState.RESOLVED)
    later = NOW + JOIN_FOR + timedelta(seconds=1)

    assert home_of(Entity.service("cart"), [first], now=later) is None
    assert home_of(Entity.service("cart"), [ended], now=NOW) is None


def test_the_nearest_incident_takes_it_then_the_latest() -> None:
    near, far = incident("orders"), incident("front")
    late = replace(near, id="late", updated_at=NOW + timedelta(seconds=5))

    assert home_of(Entity.service("orders"), [far, near], now=NOW) == near
    assert home_of(Entity.service("orders"), [near, late], now=late.updated_at) == late


def test_a_storm_is_one_incident() -> None:
    topology = Topology(
        edges=tuple(
            Edge(
                source=Entity.service(f"s{n}"),
                target=Entity.service(f"s{n + 1}"),
                kind=EdgeKind.CALLS,
            )
            for n in range(200)
        )
    )
    beside = neighbours(topology)
    storm = incident("s0")
    for n in range(1, 200):
        now = NOW + timedelta(milliseconds=n)
        found = home(Entity.service(f"s{n}"), places([storm], now=now), beside=beside)
        assert found is storm
        storm = joined(found, [episode(f"s{n}")], now=now)

    assert len(storm.members) == 200
    assert storm.firing == 200


def test_it_is_mitigated_when_nothing_fires_and_open_when_something_does_again() -> None:
    first = incident("cart")

    calm = joined(first, [episode("cart", fires=False)], now=NOW)
    again = joined(calm, [episode("cart")], now=NOW)

    assert calm.state is IncidentState.MITIGATED
    assert again.state is IncidentState.OPEN
    assert len(again.members) == 1
    assert settled(replace(calm, state=IncidentState.CONFIRMED)).state is IncidentState.CONFIRMED


def test_merging_takes_every_alert_once_and_splitting_gives_them_back() -> None:
    one = joined(incident("cart"), [episode("front")], now=NOW)
    two = joined(incident("db", at=NOW - timedelta(minutes=1)), [episode("front")], now=NOW)

    whole, gone = merged(one, two, now=NOW)
    rest, apart = split(whole, frozenset({"of-db"}), now=NOW)

    assert sorted(m.fingerprint for m in whole.members) == ["of-cart", "of-db", "of-front"]
    assert whole.opened_at == two.opened_at
    assert (gone.state, gone.merged_into) == (IncidentState.MERGED, one.id)
    assert [m.fingerprint for m in apart.members] == ["of-db"]
    assert {m.fingerprint for m in rest.members} == {"of-cart", "of-front"}


def test_incidents_with_the_same_traits_are_alike() -> None:
    cause = Blame(entity=Entity.service("db"), kind=CauseKind.DISK_FULL)
    before = replace(incident("cart", at=NOW - timedelta(days=3)), confirmed=cause)
    other = replace(incident("island", at=NOW - timedelta(days=2)), confirmed=cause)

    assert similar(replace(incident("cart"), confirmed=cause), [other, before]) == (
        before.id,
        other.id,
    )
    assert similar(incident("front"), [other]) == ()


def test_an_incident_names_so_many_alerts_and_counts_the_others() -> None:
    whole = joined(incident("cart"), [episode(f"s{n}") for n in range(MOST_NAMED + 20)], now=NOW)
    calm = joined(whole, [episode(m.entity.name, fires=False) for m in whole.members], now=NOW)

    assert len(whole.members) == MOST_NAMED
    assert whole.with_more(21).firing == MOST_NAMED + 21
    assert calm.state is IncidentState.MITIGATED
    assert calm.with_more(1).state is IncidentState.OPEN
