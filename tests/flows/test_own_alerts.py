from dataclasses import replace
from datetime import UTC, datetime, timedelta

from opsmith.flows.metric_watch.own_alerts import own_alerts
from opsmith.flows.receive import Inbox
from opsmith.flows.watch import Watch
from opsmith.nouns.diagnosis import Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.episode import Episode, EpisodeState
from opsmith.nouns.incident import Incident, IncidentState, Verdict
from opsmith.nouns.series import Aspect
from opsmith.nouns.sign import OWN, Sign, SignKind
from opsmith.nouns.topology import Edge, EdgeKind, Topology
from opsmith.testing.ledger import MemoryLedger

START = datetime(2026, 1, 1, tzinfo=UTC)


def sign(name: str, aspect: Aspect = Aspect.ERRORS, kind: SignKind = SignKind.ANOMALY) -> Sign:
    return Sign(
        id=name,
        kind=kind,
        at=START,
        series=f"m_{name}",
        entity=Entity.service(name),
        aspect=aspect,
        claim="odd",
        score=0.6,
    )


class World:
    """A watch and an inbox that raise and hear opsmith's own alerts."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.now = START
        self.watch = Watch(
            self.ledger,
            look=self.look,
            announce=self.announce,
            clock=lambda: self.now,
            looks_after_s=(),
        )
        self.inbox = Inbox(self.ledger, tell=self.watch.take)

    async def look(self, incident: Incident) -> Verdict:
        return Verdict(
            status=Status.INCONCLUSIVE,
            blame=None,
            confidence=0.0,
            path=(),
            sentence=incident.id,
            found_at=self.now,
        )

    async def announce(self, incident: Incident) -> None:
        del incident

    async def heed(self, *signs: Sign, alone_a_day: int = 2) -> tuple[Episode, ...]:
        loose = await self.watch.observe(signs)
        alerts = own_alerts(
            signs,
            loose=loose,
            known=self.inbox.known(OWN),
            alone_a_day=alone_a_day,
            now=self.now,
        )
        return await self.inbox.receive(alerts, now=self.now)


async def test_anomalies_alone_open_incidents_within_their_budget_only() -> None:
    world = World()
    far = [sign(name) for name in ("a", "b", "c")]
    world.watch.know(Topology(entities=tuple(one.entity for one in far)))

    for one in far:
        await world.heed(one)

    assert [str(i.members[0].entity) for i in world.watch.incidents()] == [
        "service:a",
        "service:b",
    ]
    world.now += timedelta(days=1, seconds=1)
    assert await world.heed(sign("d"))


async def test_what_users_do_not_feel_and_a_budget_of_none_open_nothing() -> None:
    world = World()

    assert await world.heed(sign("a", Aspect.MEMORY)) == ()
    assert await world.heed(sign("b"), alone_a_day=0) == ()
    assert world.watch.incidents() == ()


async def test_an_early_warning_opens_an_incident_and_ends_it() -> None:
    world = World()
    warning = sign("disk", Aspect.DISK, SignKind.WARNING)

    await world.heed(warning, alone_a_day=0)
    (incident,) = world.watch.incidents()
    await world.heed(replace(warning, ended_at=START + timedelta(minutes=5)), alone_a_day=0)

    assert incident.members[0].name == "EarlyWarning"
    assert world.watch.incidents()[0].state is IncidentState.MITIGATED


async def test_a_sign_near_an_incident_is_evidence_in_it_and_opens_none() -> None:
    world = World()
    cart, front = Entity.service("cart"), Entity.service("front")
    world.watch.know(Topology(edges=(Edge(source=front, target=cart, kind=EdgeKind.CALLS),)))
    await world.heed(sign("front"))

    opened = await world.heed(sign("cart", Aspect.LATENCY))

    (incident,) = world.watch.incidents()
    assert opened == ()
    assert {one.id for one in incident.signs} == {"front", "cart"}


async def test_signs_that_came_before_their_incident_are_taken_in_when_it_opens() -> None:
    world = World()
    await world.heed(sign("cart", Aspect.MEMORY), sign("mail", Aspect.MEMORY))
    world.now += timedelta(minutes=3)

    await world.heed(replace(sign("cart", kind=SignKind.WARNING), id="w", at=world.now))

    assert [one.id for one in world.watch.incidents()[0].signs] == ["cart", "w"]


async def test_an_end_is_kept_with_the_sign_and_ends_its_alert() -> None:
    world = World()
    await world.heed(sign("a"))

    await world.heed(replace(sign("a"), ended_at=START + timedelta(minutes=9)))

    (incident,) = world.watch.incidents()
    assert [one.stands for one in incident.signs] == [False]
    assert incident.state is IncidentState.MITIGATED


async def test_the_sender_of_alerts_does_not_end_those_that_opsmith_raised() -> None:
    world = World()
    await world.heed(sign("a"))

    await world.inbox.reconcile((), now=world.now)

    (own,) = world.inbox.known(OWN).values()
    assert own.state is EpisodeState.FIRING
