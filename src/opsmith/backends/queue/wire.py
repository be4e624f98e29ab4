"""The wire to a Valkey or Redis server: typed calls, scripts by name, one kind of failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from typing import Protocol, TypeAlias, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from opsmith.errors import HouseError, Unreachable

Word: TypeAlias = str | bytes | int
# A bulk reply, a number, nothing, or a list of such.
Reply: TypeAlias = "bytes | int | list[Reply] | None"

_LUA = files("opsmith.backends.queue") / "lua"
_NAMES = ("put", "claim", "renew", "settle", "cancel", "requeue", "passed")


def _scripts() -> dict[str, str]:
    shared = (_LUA / "shared.lua").read_text(encoding="utf-8")
    return {
        name: f"{shared}\n{(_LUA / f'{name}.lua').read_text(encoding='utf-8')}" for name in _NAMES
    }


SCRIPTS = _scripts()


class _Server(Protocol):
    """What we need of the client, with its types."""

    async def execute_command(self, *words: Word) -> Reply: ...

    async def aclose(self) -> None: ...


class Wire:
    """Calls on one server.

    prepare: what must be there before the first call, and again when the server has lost it.
    revive: starts the server again when it is ours; None when it is somebody else's.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prepare: Callable[[], Awaitable[None]],
        revive: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._client = cast("_Server", client)
        self._prepare = prepare
        self._revive = revive
        self._ready = False
        self._digests: dict[str, str] = {}

    async def number(self, *words: Word) -> int:
        """A call whose answer is a number, or a text that is one; nothing is 0."""
        reply = await self._call(words)
        if isinstance(reply, int | bytes):
            return int(reply)
        return 0

    async def texts(self, *words: Word) -> list[bytes]:
        """A call whose answer is a list of texts; one alone is a list of one."""
        return _texts(await self._call(words))

    async def fields(self, *words: Word) -> dict[bytes, bytes]:
        """A call whose answer is a hash."""
        flat = _texts(await self._call(words))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def messages(self, *words: Word) -> Iterator[tuple[bytes, bytes, bytes]]:
        """A read of streams: for each message its stream, its id and its first value."""
        reply = await self._call(words)
        return _messages(reply if isinstance(reply, list) else [])

    async def script(self, name: str, *words: Word) -> list[bytes]:
        """Run `lua/NAME.lua`; its answer as a list of texts."""
        return _texts(await self._call((name, *words), script=True))

    async def raw(self, *words: Word) -> Reply:
        """A call before everything is prepared."""
        return await self._client.execute_command(*words)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, words: tuple[Word, ...], *, script: bool = False) -> Reply:
        for last in (False, True):
            try:
                if not self._ready:
                    await self._prepare()
                    self._ready = True
                return await (self._evaluate(*words) if script else self.raw(*words))
            except (NoConnection, NoAnswer) as error:
                if last or self._revive is None:
                    raise Unreachable(f"The queue does not answer: {error}.") from error
                self._ready = False
                await self._revive()
            except ResponseError as error:
                if last or not str(error).startswith("NOGROUP"):
                    raise _told(error) from error
                self._ready = False
            except RedisError as error:
                raise _told(error) from error
        raise HouseError("The queue was called twice and said nothing.")

    async def _evaluate(self, name: Word, *words: Word) -> Reply:
        key = str(name)
        prefix, *rest = words
        if key not in self._digests:
            loaded = await self.raw("SCRIPT", "LOAD", SCRIPTS[key])
            self._digests[key] = loaded.decode() if isinstance(loaded, bytes) else str(loaded)
        try:
            return await self.raw("EVALSHA", self._digests[key], 1, prefix, *rest)
        except NoScriptError:  # the server is a new one
            return await self.raw("EVAL", SCRIPTS[key], 1, prefix, *rest)


def _told(error: RedisError) -> Unreachable:
    """A server that refuses is of no more use than one that is gone, and says why."""
    return Unreachable(f"The queue's server refuses: {str(error)[:200]}.")


def _texts(reply: Reply) -> list[bytes]:
    if isinstance(reply, list):
        return [one if isinstance(one, bytes) else str(one).encode() for one in reply]
    return [] if reply is None else [reply if isinstance(reply, bytes) else str(reply).encode()]


def _messages(streams: list[Reply]) -> Iterator[tuple[bytes, bytes, bytes]]:
    for stream in streams:
        name, messages = cast("tuple[bytes, list[tuple[bytes, list[bytes]]]]", stream)
        for entry, values in messages:
            yield name, entry, values[1]
