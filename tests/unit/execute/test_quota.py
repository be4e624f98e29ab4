"""So many runs at once and a minute; each is on the ledger, and what it refuses is not run."""

import asyncio
import json
from datetime import timedelta

import pytest

from opsmith.errors import BadInput, OpsmithError, Unreachable
from opsmith.execute.quota import SANDBOX, MeteredSandbox
from opsmith.nouns.record import Entry, Record
from opsmith.seams.ledger import Wanted
from opsmith.seams.sandbox import Ending, Program, Quota, Ran
from opsmith.testing.acting import HandClock
from opsmith.testing.ledger import MemoryLedger

ONE = Program(name="one", argv=("/bin/true",), quota=Quota(at_once=2, per_minute=3))


class Rehearsal:
    """A sandbox that waits until it is told to end."""

    def __init__(self) -> None:
        self.begun = 0
        self.ends = asyncio.Event()
        self.fails: OpsmithError | None = None

    async def run(self, program: Program) -> Ran:
        assert program is ONE
        self.begun += 1
        await self.ends.wait()
        if self.fails:
            raise self.fails
        return Ran(ending=Ending.EXITED, code=0, output="hello", held=("cgroup v2",))


class Desk:
    def __init__(self) -> None:
        self.clock, self.ledger, self.inner = HandClock(), MemoryLedger(), Rehearsal()

        async def archive(name: str, ran: Ran) -> str:
            assert ran.output == "hello"
            return f"/runs/{name}"

        self.sandbox = MeteredSandbox(
            self.inner, self.ledger, archive=archive, clock=lambda: self.clock.now
        )

    async def told(self) -> list[dict[str, object]]:
        found = await self.ledger.read(Wanted(kind=SANDBOX, subject="one"))
        return [json.loads(record.entry.body) for record in found]


async def test_a_run_is_written_down_before_and_after() -> None:
    desk = Desk()
    desk.inner.ends.set()

    ran = await desk.sandbox.run(ONE)

    started, ended = await desk.told()
    assert (started["event"], ended["event"]) == ("started", "ended")
    assert (ended["held"], ended["ending"]) == (["cgroup v2"], "exited")
    assert ran.log == ended["log"] == f"/runs/one-{started['run']}"
    assert ended["running"] == {}


async def test_more_at_once_are_refused_and_that_is_written_down() -> None:
    desk = Desk()
    first = [asyncio.create_task(desk.sandbox.run(ONE)) for _ in range(2)]
    await asyncio.sleep(0.01)

    third = await desk.sandbox.run(ONE)

    assert third.ending is Ending.REFUSED
    assert "2 runs of one are going on" in third.output
    assert desk.inner.begun == 2
    assert [one["event"] for one in await desk.told()] == ["started", "started", "refused"]
    desk.inner.ends.set()
    await asyncio.gather(*first)


async def test_more_a_minute_are_refused_until_the_minute_is_over() -> None:
    desk = Desk()
    desk.inner.ends.set()
    for _ in range(3):
        await desk.sandbox.run(ONE)

    fourth = await desk.sandbox.run(ONE)
    desk.clock.passes(61)
    fifth = await desk.sandbox.run(ONE)

    assert (fourth.ending, fifth.ending) == (Ending.REFUSED, Ending.EXITED)


async def test_a_run_whose_process_died_frees_its_place_by_itself() -> None:
    desk = Desk()
    started = {
        "running": {
            name: (desk.clock.now + timedelta(seconds=90)).isoformat() for name in ("a", "b")
        },
        "recent": [],
    }
    await desk.ledger.append(
        [Entry(kind=SANDBOX, subject="one", body=json.dumps(started), at=desk.clock.now)],
        durable=True,
    )
    desk.inner.ends.set()

    early = await desk.sandbox.run(ONE)
    desk.clock.passes(91)
    late = await desk.sandbox.run(ONE)

    assert (early.ending, late.ending) == (Ending.REFUSED, Ending.EXITED)


async def test_a_run_that_cannot_be_written_down_does_not_begin() -> None:
    desk = Desk()

    async def gone(*_: object, **__: object) -> tuple[Record, ...]:
        raise Unreachable("The disk is full.")

    desk.ledger.append = gone  # type: ignore[method-assign]

    with pytest.raises(Unreachable):
        await desk.sandbox.run(ONE)

    assert desk.inner.begun == 0


async def test_what_could_not_run_and_what_was_cancelled_gives_its_place_back() -> None:
    desk = Desk()
    cancelled = asyncio.create_task(desk.sandbox.run(ONE))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    desk.inner.fails = BadInput("No such program.")
    desk.inner.ends.set()

    with pytest.raises(BadInput):
        await desk.sandbox.run(ONE)

    told = await desk.told()
    assert [one.get("ending") for one in told] == [None, "cancelled", None, "not run"]
    assert told[-1]["running"] == {}
