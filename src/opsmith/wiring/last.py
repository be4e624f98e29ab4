"""The last step of reading: the thread that reads waits for a model that answers in the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from datetime import timedelta

from opsmith.errors import Unreachable
from opsmith.parse.last import Ask
from opsmith.seams.llm import LanguageModel, Prompt

# What a person waits for a clause to be sorted before being asked in plain words is better.
WITHIN = timedelta(seconds=10)


def asked_of(model: LanguageModel, loop: asyncio.AbstractEventLoop) -> Ask:
    """Asks `model`, whose connections live in `loop`, from another thread."""

    def ask(prompt: Prompt) -> str:
        waiting = asyncio.run_coroutine_threadsafe(model.complete(prompt, within=WITHIN), loop)
        try:
            return waiting.result(timeout=2 * WITHIN.total_seconds()).text
        except (TimeoutError, CancelledError) as error:
            waiting.cancel()
            raise Unreachable("The model did not sort the clause in time.") from error

    return ask
