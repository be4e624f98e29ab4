"""The desk: questions of many callers, answered from the live house, each turn on the ledger."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from opsmith.answer.plan_shapes import plan_shape
from opsmith.answer.showing import answer_json, as_json, task_json
from opsmith.answer.words import language_of
from opsmith.audit.sessions import Session, open_session
from opsmith.errors import NotFound, Unreachable
from opsmith.nouns.answer import Answer, Reply
from opsmith.nouns.record import Entry
from opsmith.nouns.session import HOUSE, Principal, TurnStatus
from opsmith.nouns.task import Clarify, Reading, Refused, Understood
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings
from opsmith.wiring.ask import Asker, AskSources, said_of
from opsmith.wiring.intent import keep_fresh
from opsmith.wiring.llm import Inference
from opsmith.wiring.sessions import Conversation, new_session

if TYPE_CHECKING:
    from opsmith.backends.intent.serving import Swap
    from opsmith.flows.change_control import ChangeControl

_log = logging.getLogger("opsmith.model")
REQUEST = "request"
ADAPTER = "adapter"
TIMEOUT_S = 60.0
# Questions answered at once; more wait their turn.
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of an answer as it comes about. kind: reading, answer, plan or done."""

    kind: str
    body: dict[str, object]


class Desk:
    """Answers over one ledger; the sources are opened with the first question.

    control: gives the change control that runs beside it; None to open one when it is needed.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        inference: Inference,
        control: Callable[[], ChangeControl] | None = None,
    ) -> None:
        self._control = control
        self._inference = inference
        self._settings = settings
        self._ledger = ledger
        self._asker: Asker | None = None
        self._opening = asyncio.Lock()
        self._fresh: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """Let go of the sources."""
        if self._fresh is not None:
            self._fresh.cancel()
            await asyncio.gather(self._fresh, return_exceptions=True)
        if self._asker is not None:
            await self._asker.__aexit__(None, None, None)

    async def ask(
        self,
        question: str,
        *,
        session: str,
        principal: Principal,
        narrate: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> AsyncIterator[Told]:
        """How the question is read, each answer as it is found, and the whole at the end.

        The turn is on the ledger before `done` is told.
        narrate: the language model tells the answers again.
        Raises `NotFound` for a session of another tenant or of none, `Unreachable` after
        `timeout_s`, `NoModel` when nobody is there to narrate.
        """
        if narrate:
            self._inference.gateway()
        opened = await self._session(session, principal)
        talk = Conversation(await self._sources(), opened, principal)
        began, ends = datetime.now(UTC), monotonic() + timeout_s
        async with self._places:
            steps = self._steps(talk, question, began, narrate=narrate)
            try:
                while True:
                    left = max(0.0, ends - monotonic())
                    try:
                        told = await asyncio.wait_for(anext(steps), left)
                    except StopAsyncIteration:
                        return
                    yield told
            except TimeoutError as error:
                await talk.keep_end(question, began, TurnStatus.TIMEOUT)
                raise Unreachable(f"No answer within {timeout_s:g} s.") from error
            finally:
                await steps.aclose()

    async def note(self, principal: Principal, *, method: str, path: str, status: int) -> None:
        """Put a request that may have changed something on the ledger."""
        body = json.dumps({"method": method, "path": path[:300], "status": status})
        entry = Entry(
            kind=REQUEST,
            subject=principal.name,
            body=body,
            at=datetime.now(UTC),
            principal=principal.name,
            tenant=principal.tenant,
        )
        await self._ledger.append([entry], durable=False)

    async def take_up_model(self) -> None:
        """Take up another choice of model; what it led to stands on the ledger."""
        swap = await self._inference.look()
        if swap is not None:
            if swap.refused:
                _log.warning("The model that was chosen does not serve: %s", swap.refused)
            body = json.dumps(asdict(swap))
            one = Entry(kind=ADAPTER, subject="model", body=body, at=datetime.now(UTC))
            await self._ledger.append([one], durable=False)

    async def _steps(
        self, talk: Conversation, question: str, began: datetime, *, narrate: bool
    ) -> AsyncGenerator[Told, None]:
        reading, after = await talk.asker.read(question, talk.state, tenant=talk.principal.tenant)
        yield Told(kind="reading", body=_reading(reading))
        answers: list[Answer] = []
        if isinstance(reading, Understood):
            async for one in talk.asker.answers(question, reading, by=talk.principal):
                fresh = one.plan and one.plan not in [before.plan for before in answers]
                answers.append(one)
                yield Told(kind="answer", body=answer_json(one))
                if one.plan and fresh:
                    yield Told(kind="plan", body=plan_shape(one.plan))
        language, told = language_of(question), tuple(answers)
        reply = Reply(
            language=language,
            reading=reading,
            answers=await talk.asker.narrated(told, language) if narrate else told,
            said=said_of(reading),
        )
        talk.asker.warnings.clear()  # they are for a terminal
        await talk.keep_reply(question, began, reply, after.heard(reply.said))
        yield Told(kind="done", body={"session": talk.session.name, **as_json(reply)})

    async def _session(self, name: str, principal: Principal) -> Session:
        opened = await open_session(self._ledger, name or new_session(datetime.now(UTC)))
        last = opened.last
        if name and (last is None or not principal.sees(last.tenant)):
            raise NotFound(f"There is no session {name[:60]!r}.")
        return opened

    async def _sources(self) -> Asker:
        async with self._opening:
            if self._asker is None:
                asker = Asker(
                    self._settings,
                    AskSources(),
                    ledger=self._ledger,
                    model=self._inference,
                    last=self._inference,
                    control=self._control,
                )
                self._asker = await asker.__aenter__()
                self._fresh = asyncio.create_task(keep_fresh(self._settings, self._swapped))
            return self._asker

    async def _swapped(self, swap: Swap) -> None:
        """Which adapter reads sentences from now on, or why a new one was refused."""
        body = json.dumps(asdict(swap), default=str)
        tenant = swap.tenant or HOUSE
        one = Entry(kind=ADAPTER, subject="intent", body=body, at=datetime.now(UTC), tenant=tenant)
        await self._ledger.append([one], durable=False)


def _reading(reading: Reading) -> dict[str, object]:
    if isinstance(reading, Refused):
        return {"outcome": "refuse", "reason": reading.reason, "tasks": []}
    tasks = [task_json(one) for one in reading.tasks]
    kind = "clarify" if isinstance(reading, Clarify) else "execute"
    return {"outcome": kind, "tasks": tasks}
