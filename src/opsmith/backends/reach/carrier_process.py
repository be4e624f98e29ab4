"""The process of a carrier, as opsmith sees it: an order goes in, an answer comes out.

Whatever it does, it does not outlive its verb.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping

from opsmith.errors import (
    BadAnswer,
    BadInput,
    Conflict,
    HouseError,
    MissingExtra,
    NotBegun,
    NotFound,
    OpsmithError,
    Overloaded,
    Unreachable,
)
from opsmith.nouns.plan import Value

_KNOWN = (
    BadAnswer,
    BadInput,
    Conflict,
    MissingExtra,
    NotBegun,
    NotFound,
    Overloaded,
    Unreachable,
)
_ERRORS: dict[str, type[OpsmithError]] = {one.__name__: one for one in _KNOWN}
LOOK_WITHIN_S = 60.0
# For the interpreter to start and end, beside the verb's own time.
_GRACE_S = 15.0
_LAST_WORDS = 500
Told = dict[str, object]


async def carry(
    command: tuple[str, ...], order: Mapping[str, object], *, deadline_s: float | None
) -> Told:
    """What a carrier answers to an order; the command starts it.

    Raises what the carrier told of, `Unreachable` when it does not answer in time or at all.
    """
    return answered(await _said(command, order, within(deadline_s)))


def within(deadline_s: float | None) -> float:
    """How long a carrier may take, seconds; a look has no deadline of its own."""
    return _GRACE_S + (deadline_s or LOOK_WITHIN_S)


def answered(said: bytes) -> Told:
    """What a carrier answered. Raises what it told of, `Unreachable` for nothing or nonsense."""
    try:
        told = json.loads(said)
    except ValueError as error:
        raise Unreachable("The carrier did not answer: it died.") from error
    if not isinstance(told, dict):
        raise Unreachable("The carrier answered nonsense.")
    if "error" in told:
        raise _ERRORS.get(str(told["error"]), HouseError)(str(told.get("message")))
    return told


def failure(error: OpsmithError) -> Told:
    """An error as a carrier tells of it."""
    return {"error": type(error).__name__, "message": str(error)}


def facts(told: object) -> dict[str, Value]:
    """Values as they were before they were JSON, which knows no tuple."""
    if not isinstance(told, dict):
        raise HouseError("The carrier told no facts.")
    return {
        name: tuple(map(str, one)) if isinstance(one, list) else _plain(one)
        for name, one in told.items()
    }


def _plain(one: object) -> Value:
    if not isinstance(one, str | int | float):
        raise HouseError("The carrier told a fact that is no text, number or list.")
    return one


async def _said(command: tuple[str, ...], order: Mapping[str, object], within_s: float) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd="/",
    )
    try:
        async with asyncio.timeout(within_s):
            said, last = await process.communicate(json.dumps(order).encode())
    except TimeoutError as error:
        raise Unreachable(f"The carrier did not end within {within_s:g} s.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not said:
        words = last.decode(errors="replace").strip()[-_LAST_WORDS:]
        raise Unreachable(f"The carrier did not answer: {words or 'it said nothing'}.")
    return said
