import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from opsmith.errors import BadInput, NotFound, Unreachable
from opsmith.flows.watch import RESOLVE_AFTER, Watch
from opsmith.nouns.cause import CauseKind
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import Blame, Incident, IncidentState, Verdict
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from opsmith.testing.ledger import MemoryLedger

START = datetime(2026, 1, 1, tzinfo=UTC)
POOL = Blame(entity=Entity.service("db"), kind=CauseKind.POOL_EXHAUSTED)


def episode(name: str, *, fires: bool = True, at: datetime = START) -> Episode:
    alert = Alert(
        fingerprint=f"of-{name}",
        name="Slow",
        entity=Entity.service(name),
        source=AlertSource.METRIC,
        aspect=Aspect.LATENCY,
        direction=Direction.UP,
        metric="m",
        severity="critical",
        starts_at=START,
        ends_at=None if fires else at,
    )
    state = EpisodeState.FIRING if fires else EpisodeState.RESOLVED
    return Episode(alert=alert, state=state, first_seen=START, turns=(at,))


class World:
    """A clock that is set by hand, a look that finds what it is told, and ears."""

    def __init__(self) -> None:
        self.now = START
        self.found: Blame | None = POOL
        self.path: tuple[Entity, ...] = ()
        self.onset: datetime | None = None
        self.down = False
        self.looks = 0
        self.heard: list[Incident] = []

    def clock(self) -> datetime:
        return self.now

    async def look(self, incident: Incident) -> Verdict:
        self.looks += 1
        if self.down:
            raise Unreachable
        return Verdict(
            status=Status.DIAGNOSED,
            blame=self.found,
            confidence=0.9,
            path=self.path,
            sentence=f"{incident.title}: the pool",
            found_at=self.now,
            onset=self.onset,
        )

    async def announce(self, incident: Incident) -> None:
        self.heard.append(incident)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
async def watch(world: World, ledger: MemoryLedger) -> AsyncIterator[Watch]:
    made = Watch(
        ledger,
        look=world.look,
        weigh=world.look,
        announce=world.announce,
        clock=world.clock,
        looks_after_s=(0.0, 0.01),
    )
    yield made
    await made.close()


async def test_a_firing_alert_opens_an_incident_and_gets_a_verdict(
    watch: Watch, world: World
) -> None:
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)

    (incident,) = watch.incidents()
    assert incident.verdict is not None
    assert incident.verdict.blame == POOL
    assert world.looks == 2
    assert world.heard[-1] == incident


async def test_alerts_that_come_together_and_belong_together_are_one_incident(
    watch: Watch,
) -> None:
    cart, front = Entity.service("cart"), Entity.service("front")
    watch.know(Topology(edges=(Edge(source=front, target=cart, kind=EdgeKind.CALLS),)))

    await watch.take([episode("cart"), episode("front")])

    (incident,) = watch.incidents()
    assert incident.entities == {cart, front}


async def test_it_calms_down_is_resolved_and_a_new_alert_opens_another(
    watch: Watch, world: World
) -> None:
    await watch.take([episode("cart")])
    await watch.take([episode("cart", fires=False)])
    world.now += RESOLVE_AFTER
    await watch.tick()
    await watch.take([episode("cart")])

    assert sorted(incident.state for incident in watch.incidents()) == [
        IncidentState.OPEN,
        IncidentState.RESOLVED,
    ]


async def test_a_look_that_fails_is_counted_and_tried_again(watch: Watch, world: World) -> None:
    world.down = True
    await watch.take([episode("cart")])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.down = False
    await asyncio.sleep(0.1)

    assert watch.failed_looks == 1
    assert watch.incidents()[0].verdict is not None


async def test_what_was_kept_is_there_after_a_restart(
    watch: Watch, world: World, ledger: MemoryLedger
) -> None:
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)

    again = Watch(ledger, look=world.look, announce=world.announce, clock=world.clock)
    await again.load()

    assert again.incidents() == watch.incidents()


async def test_people_confirm_reject_merge_and_split(watch: Watch) -> None:
    watch.know(Topology(entities=(Entity.service("cart"), Entity.service("mail"))))
    await watch.take([episode("cart")])
    await watch.take([episode("mail")])
    await asyncio.sleep(0.1)
    one, two = watch.incidents()

    rejected = await watch.reject(one.id, principal="ann")
    whole = await watch.merge(one.id, two.id, principal="ann")
    rest, apart = await watch.split(one.id, frozenset({"of-cart"}), principal="ann")
    confirmed = await watch.confirm(apart.id, POOL, principal="ann")

    assert rejected.rejected == (POOL,)
    assert len(whole.members) == 2
    assert [member.fingerprint for member in rest.members] == ["of-mail"]
    assert confirmed.state is IncidentState.CONFIRMED
    assert watch.incident(two.id).state is IncidentState.MERGED


async def test_a_confirmed_incident_is_remembered_when_another_is_like_it(
    watch: Watch, world: World
) -> None:
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)
    before = await watch.confirm(watch.incidents()[0].id, None, principal="ann")
    world.now += timedelta(days=1)

    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)

    assert watch.incidents()[0].similar == (before.id,)


async def test_what_makes_no_sense_is_refused(watch: Watch, world: World) -> None:
    world.down = True
    await watch.take([episode("cart")])
    name = watch.incidents()[0].id

    with pytest.raises(NotFound):
        watch.incident("nope")
    with pytest.raises(BadInput, match="no cause yet"):
        await watch.confirm(name, None, principal="ann")
    with pytest.raises(BadInput, match="rejected"):
        await watch.reject(name, principal="ann")
    with pytest.raises(BadInput, match="itself"):
        await watch.merge(name, name, principal="ann")
    with pytest.raises(BadInput, match="not all"):
        await watch.split(name, frozenset({"of-cart"}), principal="ann")


async def test_what_another_process_says_is_heard(
    watch: Watch, world: World, ledger: MemoryLedger
) -> None:
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)
    other = Watch(ledger, look=world.look, announce=world.announce, clock=world.clock)
    await other.load()
    name = watch.incidents()[0].id

    await other.confirm(name, None, principal="ann")
    await watch.take([episode("cart", fires=False)])

    assert watch.incident(name).state is IncidentState.CONFIRMED


async def test_an_alert_that_was_written_down_and_never_placed_is_named_by_the_watch(
    watch: Watch, world: World
) -> None:
    await watch.take([episode("cart")])
    await watch.confirm(watch.incidents()[0].id, POOL, principal="ann")
    world.now += timedelta(seconds=1)

    await watch.take(watch.unseen([episode("cart"), episode("mail")]))

    assert sorted(str(i.members[0].entity) for i in watch.incidents()) == [
        "service:cart",
        "service:mail",
    ]


async def test_an_alert_that_ended_and_was_never_taken_out_is_named(watch: Watch) -> None:
    await watch.take([episode("cart"), episode("mail")])
    newest = {"of-cart": episode("cart", fires=False), "of-mail": episode("mail")}

    assert watch.unended(newest.get) == [newest["of-cart"]]


async def test_a_fault_that_joins_an_open_incident_is_looked_at_and_changes_its_verdict(
    watch: Watch, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.flows.watch.LOOKS_APART_S", 0.01)
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)
    world.found = Blame(entity=Entity.service("mail"), kind=CauseKind.DISK_FULL)

    await watch.take([episode("mail")])
    await asyncio.sleep(0.1)

    (incident,) = watch.incidents()
    assert incident.verdict is not None
    assert incident.verdict.blame == world.found
    assert len(incident.members) == 2


async def test_alerts_that_stream_into_one_incident_do_not_make_a_look_each(
    watch: Watch, world: World
) -> None:
    for number in range(20):
        await watch.take([episode(f"svc-{number}")])
        await asyncio.sleep(0.01)

    assert world.looks <= 2


async def test_an_open_incident_that_nobody_looked_into_is_looked_into_after_a_restart(
    watch: Watch, world: World, ledger: MemoryLedger
) -> None:
    world.down = True
    await watch.take([episode("cart")])
    await asyncio.sleep(0.1)
    world.down = False
    again = Watch(ledger, look=world.look, announce=world.announce, clock=world.clock)
    await again.load()

    await again.tick()
    await asyncio.sleep(0.1)
    await again.close()

    assert again.incidents()[0].verdict is not None


MINUTE = timedelta(minutes=1)
FULL = Blame(entity=Entity.service("mail"), kind=CauseKind.DISK_FULL)


@pytest.fixture
async def second(
    watch: Watch, world: World, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[tuple[Incident, ...]]]:
    """An incident of `cart` with its cause, then an alert more; all incidents, oldest first."""
    monkeypatch.setattr("opsmith.flows.watch.LOOKS_APART_S", 0.01)

    async def came(
        name: str, *, calm: bool, found: Blame, onset: datetime, path: tuple[str, ...] = ()
    ) -> tuple[Incident, ...]:
        world.path, world.onset = (POOL.entity, Entity.service("cart")), START
        await watch.take([episode("cart")])
        await asyncio.sleep(0.05)
        if calm:
            world.now = START + 2 * MINUTE
            await watch.take([episode("cart", fires=False, at=world.now)])
        world.now = START + 4 * MINUTE
        world.found, world.onset = found, onset
        world.path = (found.entity, *map(Entity.service, path), Entity.service(name))
        await watch.take([episode(name, at=world.now)])
        await asyncio.sleep(0.1)
        return tuple(sorted(watch.incidents(), key=lambda i: i.opened_at))

    return came


async def test_a_fault_that_began_after_the_first_recovered_is_an_incident_of_its_own(
    second: Callable[..., Awaitable[tuple[Incident, ...]]], watch: Watch, world: World
) -> None:
    first, new = await second("cart", calm=True, found=FULL, onset=START + 3 * MINUTE)

    assert first.verdict is not None
    assert (first.state, first.verdict.blame) == (IncidentState.MITIGATED, POOL)
    assert new.verdict is not None
    assert (new.state, new.verdict.blame, new.after) == (IncidentState.OPEN, FULL, first.id)

    await watch.take([episode("cart", fires=False, at=world.now)])

    assert watch.incident(new.id).state is IncidentState.MITIGATED


async def test_the_same_cause_again_is_the_same_incident(
    second: Callable[..., Awaitable[tuple[Incident, ...]]],
) -> None:
    (only,) = await second("cart", calm=True, found=POOL, onset=START + 3 * MINUTE)

    assert only.state is IncidentState.OPEN


async def test_what_began_before_the_recovery_belongs_to_what_stood_then(
    second: Callable[..., Awaitable[tuple[Incident, ...]]],
) -> None:
    (only,) = await second("cart", calm=True, found=FULL, onset=START + MINUTE)

    assert only.after is None


async def test_a_later_fault_whose_way_is_another_leaves_while_the_first_still_fires(
    second: Callable[..., Awaitable[tuple[Incident, ...]]],
) -> None:
    first, new = await second("front", calm=False, found=FULL, onset=START + 3 * MINUTE)

    assert [m.entity.name for m in first.members] == ["cart"]
    assert [m.entity.name for m in new.members] == ["front"]
    assert first.state is new.state is IncidentState.OPEN


async def test_a_later_trouble_on_the_same_way_stays_with_the_first(
    second: Callable[..., Awaitable[tuple[Incident, ...]]],
) -> None:
    (only,) = await second(
        "front", calm=False, found=FULL, onset=START + 3 * MINUTE, path=("db", "api")
    )

    assert only.size == 2


async def test_a_storm_whose_alerts_come_over_a_minute_is_one_incident(
    watch: Watch, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.flows.watch.LOOKS_APART_S", 0.01)
    world.path, world.onset = (POOL.entity, Entity.service("front")), START
    for number in range(20):
        world.now = START + timedelta(seconds=3 * number)
        # what a look at a few alerts finds may differ: the way to each goes over the same cause
        world.path = (POOL.entity, Entity.service(f"svc-{number}"))
        await watch.take([episode(f"svc-{10 * number + n}") for n in range(10)])
        await asyncio.sleep(0.03)

    (incident,) = watch.incidents()
    assert incident.size == 200


async def test_a_restart_remembers_after_which_incident_one_came(
    second: Callable[..., Awaitable[tuple[Incident, ...]]], world: World, ledger: MemoryLedger
) -> None:
    first, new = await second("cart", calm=True, found=FULL, onset=START + 3 * MINUTE)
    again = Watch(ledger, look=world.look, announce=world.announce, clock=world.clock)

    await again.load()

    assert again.incident(new.id).after == first.id
