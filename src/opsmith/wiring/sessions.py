"""The wiring of sessions: conversations whose turns stand on the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from opsmith.answer.showing import as_json, as_text, outcome, task_json
from opsmith.audit.sessions import Session, open_session, records, sessions, turns
from opsmith.errors import HouseError, NotFound
from opsmith.nouns.answer import Reply
from opsmith.nouns.record import Record
from opsmith.nouns.redaction import redact
from opsmith.nouns.session import LONGEST_COMMAND, Principal, Role, Turn, TurnStatus
from opsmith.parse.dialogue import State
from opsmith.seams.ledger import Ledger
from opsmith.settings import Settings
from opsmith.wiring.ask import ANYTHING, Asker, AskSources, Wanted, reply_to
from opsmith.wiring.ledger import opened
from opsmith.wiring.llm import inference

T = TypeVar("T")
_STATE: TypeAdapter[State] = TypeAdapter(State)
# Kept of an answer for `session show`; the whole answer can be asked again.
LONGEST_SAID = 2_000
_FAILED = frozenset({"refuse", "denied", "failed"})


class Conversation:
    """Sentences answered one after the other; each is a turn on the ledger before it is told.

    note: a turn that could not be kept, in words, empty when all is well.
    last_plan: the id of the plan that was shown last, empty for none.
    """

    def __init__(self, asker: Asker, session: Session, principal: Principal) -> None:
        self.asker = asker
        self.session = session
        self.principal = principal
        self._state = _read_state(session)
        self.note = ""
        self.last_plan = ""

    async def turn(self, text: str, *, timeout_s: float, wanted: Wanted = ANYTHING) -> Reply:
        """Answer one sentence, keep the turn. Raises `TimeoutError`, and what servers raise."""
        began = datetime.now(UTC)
        try:
            async with asyncio.timeout(timeout_s):
                reply, after = await reply_to(
                    self.asker, text, self._state, by=self.principal, wanted=wanted
                )
        except TimeoutError:
            await self._keep(text, began, TurnStatus.TIMEOUT)
            raise
        except BaseException:
            await self._keep(text, began, TurnStatus.FAILED)
            raise
        self._state = after
        await self.keep_reply(text, began, reply, after)
        return reply

    @property
    def state(self) -> State:
        """What the next turn starts from."""
        return self._state

    async def keep_reply(self, text: str, began: datetime, reply: Reply, after: State) -> None:
        """Put an answered turn on the ledger."""
        self._state = after
        self.last_plan = reply.plans[-1].plan.id if reply.plans else self.last_plan
        status = TurnStatus.FAILED if outcome(reply) in _FAILED else TurnStatus.SUCCESS
        await self._keep(text, began, status, reply)

    async def keep_end(self, text: str, began: datetime, status: TurnStatus) -> None:
        """Put a turn without an answer on the ledger."""
        await self._keep(text, began, status)

    async def _keep(
        self, text: str, began: datetime, status: TurnStatus, reply: Reply | None = None
    ) -> None:
        turn = Turn(
            session=self.session.name,
            number=self.session.next_number,
            command=_unicode(redact(text))[:LONGEST_COMMAND],
            status=status,
            began=began,
            ended=datetime.now(UTC),
            outcome=outcome(reply) if reply else str(status),
            intents=tuple(one.task.intent for one in reply.answers) if reply else (),
            said=_unicode(redact(as_text(reply)))[:LONGEST_SAID] if reply else "",
            state=_state_text(self._state),
            principal=self.principal.name,
            tenant=self.principal.tenant,
        )
        await self.session.keep(turn)


def os_user() -> Principal:
    """The principal of the command line: the user of the operating system.

    Whoever can read the data folder can read all of it, so every tenant's things are theirs.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return Principal(name=name, role=Role.ADMIN, everywhere=True)


def new_session(at: datetime) -> str:
    """A name for a session: when it began, and four signs against two at once."""
    return f"s-{at:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@asynccontextmanager
async def conversation(
    settings: Settings, sources: AskSources, *, session: str = "", last: bool = False
) -> AsyncIterator[Conversation]:
    """A conversation of the user of this machine.

    session: one to go on with, empty for a new one; last: the user's newest one.
    Raises `NotFound` when there is none to go on with.
    """
    principal = os_user()
    async with opened(settings) as ledger:
        name = session
        if last:
            mine = [one for one in await sessions(ledger) if one.principal == principal.name]
            if not mine:
                raise NotFound("There is no session to go on with.", hint="Ask without -c first.")
            name = mine[0].session
        found = await open_session(ledger, name or new_session(datetime.now(UTC)))
        if session and found.last is None:
            raise NotFound(f"There is no session {session[:60]!r}.", hint="opsmith session list")
        async with (
            inference(settings, needed=sources.narrate) as model,
            Asker(
                settings,
                sources,
                ledger=ledger,
                model=model if sources.narrate else None,
                last=model,
            ) as asker,
        ):
            yield Conversation(asker, found, principal)


def list_sessions(settings: Settings) -> tuple[Turn, ...]:
    """The last turn of every session, the newest first."""
    return asyncio.run(_with_ledger(settings, sessions))


def show_session(settings: Settings, name: str) -> tuple[Turn, ...]:
    """Every turn of a session. Raises `NotFound`."""
    found = asyncio.run(_with_ledger(settings, lambda ledger: turns(ledger, name)))
    if not found:
        raise NotFound(f"There is no session {name[:60]!r}.", hint="opsmith session list")
    return found


def list_records(settings: Settings, *, kind: str, subject: str) -> tuple[Record, ...]:
    """The records of the ledger that fit, oldest first."""
    return tuple(
        asyncio.run(
            _with_ledger(settings, lambda ledger: records(ledger, kind=kind, subject=subject))
        )
    )


def reply_json(reply: Reply, session: str) -> dict[str, object]:
    """A reply as plain JSON values, with the session it belongs to."""
    return {"session": session, **as_json(reply)}


def reply_text(reply: Reply, zone: str) -> str:
    """A reply for a terminal."""
    return as_text(reply, zone=zone)


def reply_outcome(reply: Reply) -> str:
    """One word for a reply: answered, plan, clarify, refuse, unknown or failed."""
    return outcome(reply)


async def _with_ledger(settings: Settings, ask: Callable[[Ledger], Awaitable[T]]) -> T:
    async with opened(settings) as ledger:
        return await ask(ledger)


def _read_state(session: Session) -> State:
    if session.last is None or not session.last.state:
        return State()
    try:
        return _STATE.validate_json(session.last.state)
    except (ValidationError, json.JSONDecodeError) as error:
        raise HouseError(f"The state of session {session.name} cannot be read.") from error


def _state_text(state: State) -> str:
    found = {
        "tasks": [task_json(one) for one in state.tasks],
        "missing": list(state.missing),
        "mentioned": dict(state.mentioned),
        "age": state.age,
        "said": redact(state.said),
    }
    return _unicode(json.dumps(found, ensure_ascii=False))


def _unicode(text: str) -> str:
    """Text without halves of characters, which no ledger keeps."""
    return text.encode("utf-8", "replace").decode("utf-8")
