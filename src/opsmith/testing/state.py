"""States in memory, and the promises that every state store keeps."""

from __future__ import annotations

import re

from opsmith.errors import BadInput
from opsmith.seams.state import NAME, StateStore


class MemoryStates:
    """Keeps the promises of `seams.state.StateStore` for as long as the process lives."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def save(self, name: str, blob: bytes) -> None:
        self._blobs[_checked(name)] = bytes(blob)

    async def load(self, name: str) -> bytes | None:
        return self._blobs.get(_checked(name))

    async def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._blobs))

    async def remove(self, name: str) -> None:
        self._blobs.pop(_checked(name), None)


def _checked(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise BadInput(f"{name!r} cannot name a state.")
    return name


async def check_what_was_saved_is_loaded(store: StateStore) -> None:
    await store.save("fleet", b"\x00one")
    await store.save("fleet", b"two\xff")
    assert await store.load("fleet") == b"two\xff"


async def check_nothing_is_loaded_where_nothing_was_saved(store: StateStore) -> None:
    assert await store.load("absent") is None


async def check_names_are_told_in_order(store: StateStore) -> None:
    for name in ("b", "a.1", "c-2"):
        await store.save(name, b"")
    assert await store.names() == ("a.1", "b", "c-2")


async def check_what_was_removed_is_gone_and_may_be_removed_again(store: StateStore) -> None:
    await store.save("fleet", b"x")
    await store.remove("fleet")
    await store.remove("fleet")
    assert await store.load("fleet") is None
    assert await store.names() == ()


async def check_a_name_that_is_a_path_is_refused(store: StateStore) -> None:
    for name in ("../x", "a/b", "", ".hidden", "A", "x" * 101, "a\n"):
        try:
            await store.save(name, b"")
        except BadInput:
            continue
        raise AssertionError(name)


CHECKS = (
    check_what_was_saved_is_loaded,
    check_nothing_is_loaded_where_nothing_was_saved,
    check_names_are_told_in_order,
    check_what_was_removed_is_gone_and_may_be_removed_again,
    check_a_name_that_is_a_path_is_refused,
)
