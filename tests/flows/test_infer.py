"""The gateway: turns, breaker, schemas, redaction, and what a bad backend does to all of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from time import monotonic

import pytest
from builders.asgi import serving
from builders.models import Scripted

from opsmith.backends.llm.openai import OpenAiModel
from opsmith.errors import BadAnswer, BadInput, Overloaded, TooMany, Unreachable
from opsmith.flows.infer import turns as turns_module
from opsmith.flows.infer.breaker import FAILURES, FIRST_REST_S, Breaker
from opsmith.flows.infer.gateway import LONGEST_PROMPT, Gateway
from opsmith.flows.infer.schema import check_schema, fault_in
from opsmith.flows.infer.turns import Caller, Turns
from opsmith.seams.llm import LanguageModel, Pieces, Prompt
from opsmith.testing.llm import CHECKS, SAYS, SCHEMA, ScriptedModel

SOON = timedelta(seconds=10)
PROMPT = Prompt(text="hello", max_tokens=16)
ANN, BOB, EVE = Caller("shop", "ann"), Caller("shop", "bob"), Caller("bank", "eve")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[tuple[Scripted, str]]:
    scripted = Scripted()
    with serving(scripted.app) as where:
        yield scripted, where


@pytest.fixture
async def gateway(server: tuple[Scripted, str], clock: Clock) -> AsyncIterator[Gateway]:
    backend = OpenAiModel(f"{server[1]}/v1")
    async with aclosing(Gateway(backend, name="it", places=4, clock=clock)) as found:
        yield found


def over(model: LanguageModel) -> Gateway:
    return Gateway(model, name="it", places=2, clock=Clock())


@pytest.mark.parametrize("check", CHECKS)
async def test_a_gateway_keeps_the_promises_of_what_it_stands_before(
    check: Callable[[LanguageModel], Awaitable[None]],
) -> None:
    await check(over(ScriptedModel([SAYS] * 3)))


async def test_no_secret_leaves() -> None:
    model = ScriptedModel(["fine"])

    await over(model).complete(Prompt(text="login with password=hunter2 failed"), within=SOON)

    assert model.prompts[0].text == "login with password=[redacted] failed"


async def test_an_answer_that_does_not_fit_is_asked_for_once_more() -> None:
    model = ScriptedModel(["hello", '```json\n{"healthy": false}\n```'])

    found = await over(model).complete(Prompt(text="healthy?", schema=SCHEMA), within=SOON)

    assert json.loads(found.text) == {"healthy": False}
    assert "it is no JSON" in model.prompts[1].text


async def test_an_answer_that_never_fits_is_not_called_good() -> None:
    model = ScriptedModel(['{"healthy": "yes"}'] * 2)

    with pytest.raises(BadAnswer, match="healthy: 'yes' is not of type 'boolean'"):
        await over(model).complete(Prompt(text="healthy?", schema=SCHEMA), within=SOON)


async def test_a_prompt_that_leaves_no_room_is_not_gone_on_with() -> None:
    model = ScriptedModel(["no json"] * 2)
    prompt = Prompt(text="x" * LONGEST_PROMPT, schema=SCHEMA)

    with pytest.raises(BadAnswer, match="does not fit the schema"):
        await over(model).complete(prompt, within=SOON)

    assert len(model.prompts) == 1


async def test_an_answer_that_is_cut_by_its_limit_fits_no_schema() -> None:
    prompt = Prompt(text="healthy?", schema=SCHEMA, max_tokens=1)

    with pytest.raises(BadAnswer, match="Raise max_tokens"):
        await over(ScriptedModel([SAYS])).complete(prompt, within=SOON)


@pytest.mark.parametrize(
    "schema",
    [
        "[",
        "[]",
        '{"type": "nothing"}',
        '{"$ref": "http://169.254.169.254/x"}',
        '{"properties": {"a": {"$ref": "file:///etc/passwd"}}}',
        '{"type": "string", "pattern": "^(a+)+$"}',
        '{"patternProperties": {"^(a+)+$": {}}}',
        '{"const": "password=hunter2"}',
        '{"a":' * 30 + "1" + "}" * 30,
        json.dumps({"title": "x" * 20_000}),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: str) -> None:
    with pytest.raises(BadInput):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        '{"properties": {"id": {"type": "string"}, "pattern": {"type": "integer"}}}',
        '{"$defs": {"a": {"type": "null"}}, "$ref": "#/$defs/a"}',
        '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "array"}',
    ],
)
def test_a_usable_schema_is_taken(schema: str) -> None:
    check_schema(schema)


def test_deep_json_of_a_model_is_a_fault() -> None:
    assert fault_in("[" * 100_000, "{}") == "it is no JSON"


async def test_the_breaker_opens_probes_and_closes(
    gateway: Gateway, server: tuple[Scripted, str], clock: Clock
) -> None:
    scripted, _ = server
    scripted.mood = "error"
    for _ in range(FAILURES):
        with pytest.raises(Unreachable, match="out of memory"):
            await gateway.complete(PROMPT, within=SOON)

    asked = len(scripted.asked)
    with pytest.raises(Overloaded) as told:
        await gateway.complete(PROMPT, within=SOON)
    assert told.value.retry_after_s == FIRST_REST_S
    assert len(scripted.asked) == asked

    clock.now += FIRST_REST_S + 1
    assert gateway.breaker.state == "half-open"
    with pytest.raises(Unreachable, match="out of memory"):
        await gateway.complete(PROMPT, within=SOON)
    assert gateway.breaker.state == "open"

    clock.now += 2 * FIRST_REST_S + 1
    scripted.mood = "well"
    assert (await gateway.complete(PROMPT, within=SOON)).text == "one two three"
    assert gateway.breaker.state == "closed"


def test_only_one_probes_a_half_open_backend(clock: Clock) -> None:
    breaker = Breaker("it", clock=clock)
    for _ in range(FAILURES):
        breaker.failed()
    clock.now += FIRST_REST_S

    assert breaker.enter()

    with pytest.raises(Overloaded):
        breaker.enter()
    breaker.left(probe=False)
    with pytest.raises(Overloaded):
        breaker.enter()
    breaker.left(probe=True)
    assert breaker.enter()


@pytest.mark.parametrize("mood", ["busy", "misfit"])
async def test_what_is_no_failure_of_the_backend_leaves_the_breaker_closed(
    mood: str, gateway: Gateway, server: tuple[Scripted, str]
) -> None:
    server[0].mood = mood
    prompt = Prompt(text="x", schema=SCHEMA if mood == "misfit" else "")
    for _ in range(FAILURES + 1):
        with pytest.raises((Overloaded, BadAnswer)):
            await gateway.complete(prompt, within=SOON)

    assert gateway.breaker.state == "closed"


async def test_the_haste_of_one_does_not_open_the_breaker_for_all(
    server: tuple[Scripted, str],
) -> None:
    server[0].mood = "slow"
    backend = OpenAiModel(f"{server[1]}/v1", model="scripted")
    async with aclosing(Gateway(backend, name="it", places=4, clock=monotonic)) as gateway:
        for _ in range(FAILURES):
            with pytest.raises(Unreachable):
                await gateway.complete(PROMPT, within=timedelta(seconds=0.02))

    assert gateway.breaker.state == "closed"


async def test_a_stream_that_is_cut_is_no_answer(
    gateway: Gateway, server: tuple[Scripted, str]
) -> None:
    server[0].mood = "cut"
    pieces = gateway.stream(PROMPT, within=SOON)

    assert [await anext(pieces), await anext(pieces)] == ["one", " two"]
    with pytest.raises(BadAnswer, match="cut off"):
        await anext(pieces)


async def test_a_hundred_streams_at_once_lose_nothing(server: tuple[Scripted, str]) -> None:
    scripted, where = server
    scripted.words = tuple(f"{n} " for n in range(50))
    backend = OpenAiModel(f"{where}/v1")

    async with aclosing(Gateway(backend, name="it", places=100, clock=Clock())) as gateway:
        found = await asyncio.gather(
            *(gateway.complete(PROMPT, within=timedelta(minutes=1)) for _ in range(100))
        )

    assert {one.text for one in found} == {"".join(scripted.words)}


async def test_places_go_to_tenants_in_turn_then_to_their_principals() -> None:
    turns, order = Turns(1), list[str]()

    async def ask(caller: Caller) -> None:
        async with turns.place(caller, within_s=60):
            order.append(caller.principal)
            await asyncio.sleep(0)

    async with turns.place(ANN, within_s=60):
        waiting = [ask(one) for one in (ANN, ANN, ANN, BOB, BOB, EVE, EVE)]
        tasks = [asyncio.create_task(one) for one in waiting]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert order == ["eve", "bob", "eve", "ann", "bob", "ann", "ann"]
    assert (turns.running, turns.waiting) == (0, 0)


async def test_who_would_wait_in_vain_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "MOST_WAITING_EACH", 2)
    monkeypatch.setattr(turns_module, "MOST_WAITING", 3)
    turns = Turns(1)

    async def ask(caller: Caller) -> None:
        async with turns.place(caller, within_s=60):
            pass

    async with turns.place(ANN, within_s=60):
        tasks = [asyncio.create_task(ask(one)) for one in (ANN, ANN, EVE)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany) as mine:
            await ask(ANN)
        with pytest.raises(Overloaded) as all_of_us:
            await ask(BOB)
        assert mine.value.retry_after_s >= 1
        assert all_of_us.value.retry_after_s >= 1
    await asyncio.gather(*tasks)


async def test_a_wait_longer_than_the_deadline_ends_with_it() -> None:
    turns = Turns(1)
    async with turns.place(ANN, within_s=60):
        with pytest.raises(Overloaded):
            async with turns.place(ANN, within_s=1.01):
                pass
        with pytest.raises(Overloaded, match="until your turn"):
            async with turns.place(ANN, within_s=0.5):
                pass

    assert (turns.running, turns.waiting) == (0, 0)


async def test_who_leaves_the_line_gives_the_place_on() -> None:
    turns = Turns(1)

    async def ask(caller: Caller) -> str:
        async with turns.place(caller, within_s=60):
            return caller.principal

    async with turns.place(ANN, within_s=60):
        leaver, stayer = (asyncio.create_task(ask(one)) for one in (EVE, BOB))
        await asyncio.sleep(0)
    leaver.cancel()

    assert await stayer == "bob"
    assert (turns.running, turns.waiting) == (0, 0)


class Leaving(ScriptedModel):
    """A scripted model that waits before its last words, and knows when it was let go."""

    def __init__(self, said: str) -> None:
        super().__init__([said] * 9)
        self.going_on = asyncio.Event()
        self.closed = asyncio.Event()

    async def stream(self, prompt: Prompt, *, within: timedelta) -> Pieces:
        async for piece in super().stream(prompt, within=within):
            yield piece
            await self.going_on.wait()

    async def aclose(self) -> None:
        self.closed.set()


async def test_a_swap_lets_what_runs_end_where_it_began() -> None:
    old, new = Leaving("from the old one"), ScriptedModel(["from the new one"])
    gateway = over(old)
    running = gateway.stream(PROMPT, within=SOON)
    first = await anext(running)

    await gateway.swap(new, name="new", places=2)
    fresh = await gateway.complete(PROMPT, within=SOON)
    still_open = not old.closed.is_set()
    old.going_on.set()
    pieces = [first, *[piece async for piece in running]]
    await asyncio.wait_for(old.closed.wait(), 5)

    assert fresh.text == "from the new one"
    assert still_open
    assert "".join(one for one in pieces if isinstance(one, str)) == "from the old one"
    await gateway.aclose()


async def test_a_closed_gateway_lets_go_of_what_it_swapped_out() -> None:
    old = Leaving("from the old one")
    gateway = over(old)
    running = gateway.stream(PROMPT, within=SOON)
    await anext(running)
    await gateway.swap(ScriptedModel([]), name="new", places=1)

    await gateway.aclose()

    assert old.closed.is_set()
    await running.aclose()


async def test_more_places_are_lent_at_once() -> None:
    turns = Turns(1)
    async with turns.place(ANN, within_s=60):
        entered = asyncio.Event()

        async def ask() -> None:
            async with turns.place(BOB, within_s=60):
                entered.set()

        task = asyncio.create_task(ask())
        await asyncio.sleep(0)
        turns.resize(2)
        await asyncio.wait_for(entered.wait(), 5)
    await task
