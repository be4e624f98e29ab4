"""The audit of the ledger: its signer, the book of seals beside it, exports, and what is wrong."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from opsmith.audit.export import first_line, from_pem, read_export, record_line, seal_line, to_pem
from opsmith.audit.seals import Audit, audit, from_line, to_line
from opsmith.backends.sign import ed25519, sm2
from opsmith.errors import BadInput, HouseError, NotFound, Unreachable
from opsmith.flows.seal import SealBook, check, seal
from opsmith.nouns.record import Record, check_chain
from opsmith.nouns.seal import Seal
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.seams.sign import Signer, Verify
from opsmith.settings import Settings
from opsmith.wiring.act import now
from opsmith.wiring.ledger import opened

SIGNERS: Mapping[str, Callable[[Path], Signer]] = {
    "ed25519": ed25519.Ed25519Signer,
    "sm2": sm2.Sm2Signer,
}
VERIFIERS: Mapping[str, Verify] = {"ed25519": ed25519.verify, "sm2": sm2.verify}
# Records read at once for an export; a page of a few megabytes.
PAGE = 10_000


def signer(settings: Settings) -> Signer:
    """Who seals the ledger of this data folder; the key is made at the first use.

    Raises `BadInput` for an algorithm that nobody knows, and what a signer raises.
    """
    name = settings.sign_with
    if name not in SIGNERS:
        raise BadInput(f"OPSMITH_SIGN_WITH is {name[:40]!r}; there are {', '.join(SIGNERS)}.")
    return SIGNERS[name](settings.data_dir / "keys" / f"ledger-{name}.key")


def public_key(settings: Settings) -> str:
    """The public key of the seals, in PEM; give it to those who check them."""
    return to_pem(signer(settings).public)


def seal_book(settings: Settings) -> SealBook:
    """The seals of this data folder, one a line, in a file apart from the ledger."""
    path = settings.data_dir / "seals.jsonl"

    def read() -> tuple[Seal, ...]:
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except OSError as error:
            raise Unreachable(f"The seals cannot be read: {error.strerror}.") from error
        return tuple(map(from_line, text.splitlines()))

    def add(seals: Sequence[Seal]) -> None:
        try:
            with path.open("a", encoding="utf-8") as written:
                written.write("".join(map(to_line, seals)))
                written.flush()
                os.fsync(written.fileno())
        except OSError as error:
            raise Unreachable(f"The seal cannot be kept: {error.strerror}.") from error

    return SealBook(read=read, add=add)


async def seal_ledger(settings: Settings) -> Seal:
    """Sign the head of the ledger. Raises `HouseError` when something is wrong with it."""
    async with opened(settings) as ledger:
        found = await check(ledger, seal_book(settings), verifiers=VERIFIERS)
        if not found.sealable:
            raise HouseError(
                f"The ledger is not sealed: {found.faults[0]}.",
                hint="See `opsmith audit verify`, and restore a backup.",
            )
        return await seal(
            ledger, signer(settings), seal_book(settings), now=now(), start=found.verdict.start
        )


def sealing(settings: Settings, ledger: Ledger) -> Callable[[], Awaitable[None]]:
    """A step that seals the head when something was written since the last seal."""
    book, known = seal_book(settings), [0]

    async def step() -> None:
        records = (await ledger.size()).records
        if records != known[0]:
            made = await asyncio.to_thread(signer, settings)
            await seal(ledger, made, book, now=now())
            known[0] = records + 1

    return step


async def audit_ledger(settings: Settings, *, trusted: Path | None) -> Audit:
    """What is wrong with the ledger of this data folder. trusted: the only key, a PEM file."""
    key = from_pem(trusted) if trusted else None
    async with opened(settings) as ledger:
        return await check(ledger, seal_book(settings), verifiers=VERIFIERS, trusted=key)


def audit_export(path: Path, *, trusted: Path | None) -> Audit:
    """What is wrong with an exported ledger. Raises `BadInput` when it is none."""
    held = read_export(path)
    return audit(
        check_chain(held.records, after=held.start),
        held.seals,
        {one.seq: one.digest for one in held.records},
        verifiers=VERIFIERS,
        trusted=from_pem(trusted) if trusted else None,
    )


async def record(settings: Settings, seq: int) -> Record:
    """One record by its place. Raises `NotFound`."""
    async with opened(settings) as ledger:
        found = await ledger.read(Wanted(after=seq - 1, limit=1))
    if not found or found[0].seq != seq:
        raise NotFound(f"There is no record {seq}.", hint="See `opsmith audit list`.")
    return found[0]


async def export(settings: Settings, target: Path) -> int:
    """Write the whole ledger with its seals as JSON lines; how many records.

    The file is whole or not there. Raises `Unreachable` when it cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    count = 0
    try:
        async with opened(settings) as ledger:
            start = (await ledger.verify()).start
            with part.open("w", encoding="utf-8") as written:
                written.write(first_line(start))
                async for found in _pages(ledger):
                    written.writelines(map(record_line, found))
                    count += len(found)
                written.writelines(map(seal_line, seal_book(settings).read()))
        part.replace(target)
    except OSError as error:
        raise Unreachable(f"{target.name!r} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return count


async def _pages(ledger: Ledger) -> AsyncIterator[tuple[Record, ...]]:
    after = 0
    while found := await ledger.read(Wanted(after=after, limit=PAGE)):
        yield found
        after = found[-1].seq
