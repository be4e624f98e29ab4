"""Talk: sentences read at the terminal and their replies printed, one session long."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import click

from opsmith.cli.deciding import WORDS, decided
from opsmith.errors import REFUSED_EXIT_CODE, OpsmithError, Unreachable
from opsmith.settings import load
from opsmith.wiring.ask import ANYTHING, AskSources, Wanted
from opsmith.wiring.parse import is_task, typed_task
from opsmith.wiring.sessions import (
    Conversation,
    conversation,
    reply_json,
    reply_outcome,
    reply_text,
)

# A plan and a refusal wait for a person (4), a question means that the sentence lacks
# something (2), and no answer is no success (1).
EXIT_CODES = {
    "answered": 0,
    "plan": REFUSED_EXIT_CODE,
    "refuse": REFUSED_EXIT_CODE,
    "denied": REFUSED_EXIT_CODE,
    "clarify": 2,
    "unknown": 1,
    "failed": 1,
}
GREETING = "opsmith: ask in English or Chinese; Ctrl-D ends. Session {name}."
LEAVING = frozenset({"exit", "quit", "bye", "退出"})


@dataclass(slots=True, kw_only=True)
class Talk:
    """How to talk. session: a session to go on with; last: the user's newest one."""

    json_wanted: bool
    sources: AskSources
    timeout_s: float
    session: str = ""
    last: bool = False
    _warming: asyncio.Task[None] | None = None

    async def once(self, sentence: str) -> int:
        """Answer one sentence; gives the exit code."""
        settings = load()
        async with conversation(
            settings, self.sources, session=self.session, last=self.last
        ) as talk:
            return await self._answered(talk, sentence)

    async def planned(self, what: str, slots: list[str]) -> int:
        """Plan what a sentence, or a task with its slots, asks for; gives the exit code."""
        async with conversation(load(), self.sources) as talk:
            text = " ".join([what, *slots])
            wanted = typed_task(what, slots) if is_task(what) else None
            return await self._answered(talk, text, Wanted(changes=True, task=wanted))

    async def on_and_on(self) -> int:
        """Read sentences until the end of input; errors are told, and the talk goes on."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory
        from prompt_toolkit.patch_stdout import patch_stdout

        settings = load()
        async with conversation(
            settings, self.sources, session=self.session, last=self.last
        ) as talk:
            click.echo(GREETING.format(name=talk.session.name), err=True)
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            history = settings.data_dir / "ask-history"
            history.touch(mode=0o600)
            names = WordCompleter([*await talk.asker.names(), *WORDS, *LEAVING], WORD=True)
            prompt: PromptSession[str] = PromptSession(
                history=FileHistory(str(history)), completer=names, complete_while_typing=False
            )
            # While the person types; a loop keeps no task alive that nobody holds.
            self._warming = asyncio.create_task(talk.asker.warm(talk.principal.tenant))
            while True:
                try:
                    with patch_stdout():
                        sentence = await prompt.prompt_async("› ")
                except EOFError:
                    return 0
                except KeyboardInterrupt:
                    continue
                if sentence.strip().lower() in LEAVING:
                    return 0
                if sentence.strip():
                    await self._told(talk, sentence)

    async def _told(self, talk: Conversation, sentence: str) -> None:
        try:
            if not await decided(talk, sentence):
                await self._answered(talk, sentence)
        except OpsmithError as error:
            click.echo(f"opsmith: {error}", err=True)

    async def _answered(self, talk: Conversation, sentence: str, wanted: Wanted = ANYTHING) -> int:
        try:
            reply = await talk.turn(sentence, timeout_s=self.timeout_s, wanted=wanted)
        except TimeoutError as error:
            raise Unreachable(
                f"No answer within {self.timeout_s:g} s.", hint="Ask for less, or give --timeout."
            ) from error
        for warning in talk.asker.warnings:
            click.echo(f"opsmith: {warning}", err=True)
        talk.asker.warnings.clear()
        if self.json_wanted:
            found = reply_json(reply, talk.session.name)
            click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        else:
            click.echo(reply_text(reply, talk.asker.zone))
        return EXIT_CODES[reply_outcome(reply)]
