import itertools
from dataclasses import replace
from datetime import datetime, timedelta

from opsmith.localise.grouping import MOST_NAMED, merged, neighbours
from opsmith.localise.roll import Roll
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode
from opsmith.nouns.incident import Incident, IncidentState
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from tests.builders.episodes import NEW_YEAR as NOW
from tests.builders.episodes import episode

NOTHING_KNOWN = neighbours(Topology())


def taken(
    roll: Roll, *episodes: Episode, topology: Topology | None = None, now: datetime = NOW
) -> tuple[Incident, ...]:
    beside = neighbours(topology) if topology else NOTHING_KNOWN
    for grown in roll.placed(episodes, beside=beside, now=now):
        roll.enter(grown.incident, grown.beyond)
    return roll.live


def test_a_storm_over_many_unknown_services_in_one_batch_is_one_incident() -> None:
    (storm,) = taken(Roll(), *(episode(f"s{n}") for n in range(200)))

    assert len(storm.members) == storm.firing == 200


def test_faults_in_parts_of_a_known_topology_that_do_not_touch_stay_apart() -> None:
    shop = [Entity.service(name) for name in ("front", "cart", "cartdb")]
    mill = [Entity.service(name) for name in ("intake", "saw", "sawdb")]
    calls = [*itertools.pairwise(shop), *itertools.pairwise(mill)]
    topology = Topology(
        edges=tuple(Edge(source=a, target=b, kind=EdgeKind.CALLS) for a, b in calls)
    )
    mixed = [episode(name) for name in ("cartdb", "sawdb", "cart", "saw", "front", "intake")]

    one, two = taken(Roll(), *mixed, topology=topology)

    assert one.entities == set(shop)
    assert two.entities == set(mill)


def test_alerts_beyond_those_named_are_counted_and_end_with_the_incident() -> None:
    roll = Roll()
    names = [f"s{n}" for n in range(MOST_NAMED + 30)]
    (storm,) = taken(roll, *map(episode, names))

    (again,) = taken(roll, *map(episode, names))
    (less,) = taken(roll, *(episode(name, fires=False) for name in names[MOST_NAMED + 10 :]))
    (calm,) = taken(roll, *(episode(name, fires=False) for name in names))

    assert (len(storm.members), storm.more, storm.size) == (MOST_NAMED, 30, MOST_NAMED + 30)
    assert again.more == 30
    assert less.more == 10
    assert (calm.state, calm.more) == (IncidentState.MITIGATED, 0)


def test_what_ends_unseen_opens_nothing_and_what_ended_takes_no_alert_from_what_stands() -> None:
    roll = Roll()
    (first,) = taken(roll, episode("a"))
    ended = replace(first, state=IncidentState.RESOLVED)
    roll.enter(ended)
    (second,) = taken(roll, episode("a"), now=NOW + timedelta(seconds=1))
    roll.enter(replace(ended, updated_at=NOW + timedelta(seconds=1)))

    assert taken(roll, episode("b", fires=False)) == (second,)
    assert roll.holder("a") == second


def test_a_merged_incident_gives_what_it_counted_too() -> None:
    roll = Roll()
    many = [episode(f"s{n}") for n in range(MOST_NAMED + 5)]
    (big,) = taken(roll, *many)
    roll.enter(replace(big, updated_at=NOW - timedelta(hours=1)))
    _, small = taken(roll, episode("other"))

    whole, gone = merged(small, roll[big.id], now=NOW)
    roll.enter(whole)
    roll.enter(gone)

    assert roll.live == (whole,)
    assert len(roll.beyond(whole.id)) == whole.more == 5
    assert roll.holder(f"s{MOST_NAMED + 1}") == whole
