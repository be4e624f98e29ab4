"""Files of a bundle: opened by their fixed names only, plain or gzip, within stated limits."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from opsmith.ingest.losses import Losses

# One OTLP export request is one line; collectors cap a request at 4 MiB by default (gRPC),
# and a batch with a very long log record stays below four times that.
LONGEST_LINE_BYTES = 16 * 2**20
# Unpacked size of one file. Lines are read in a stream, so this bounds time rather than memory.
LARGEST_FILE_BYTES = 2**30
# Files that are read as a whole.
LARGEST_DOCUMENT_BYTES = 64 * 2**20

_BLOCK_BYTES = 2**20
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def find(folder: Path, name: str, part: str, losses: Losses) -> Path | None:
    """The file `name` or `name.gz` of a bundle, or None when there is none to be read.

    Only regular files inside the folder count: a link that leads out of it is refused.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        if not path.exists():
            if path.is_symlink():
                losses.note(part, f"{path.name}: a link that leads nowhere; not read.")
            continue
        if not path.resolve().is_relative_to(folder.resolve()):
            losses.note(part, f"{path.name}: a link that leads out of the bundle; not read.")
        elif not path.is_file():
            losses.note(part, f"{path.name}: not a regular file; not read.")
        else:
            return path
    return None


def document(path: Path, part: str, losses: Losses) -> bytes:
    """The whole content, unpacked, cut at `LARGEST_DOCUMENT_BYTES` (and then noted)."""
    content = b"".join(blocks(path, part, losses, limit=LARGEST_DOCUMENT_BYTES))
    return content[:LARGEST_DOCUMENT_BYTES]


def lines(path: Path, part: str, losses: Losses) -> Iterator[tuple[int, bytes]]:
    """Each line with its number from 1, without its end; over-long lines are dropped and noted."""
    carry, number, dropping = b"", 1, False
    for block in blocks(path, part, losses, limit=LARGEST_FILE_BYTES):
        first, *rest = block.split(b"\n")
        carry = b"" if dropping else carry + first
        for following in rest:
            if not dropping:
                yield number, carry
            carry, number, dropping = following, number + 1, False
        if len(carry) > LONGEST_LINE_BYTES:
            what = f"longer than {LONGEST_LINE_BYTES // 2**20} MiB; the line is dropped."
            losses.line(part, path.name, number, what)
            carry, dropping = b"", True
    if carry:
        yield number, carry


def blocks(path: Path, part: str, losses: Losses, *, limit: int) -> Iterator[bytes]:
    """The content in blocks, unpacked if the name ends in `.gz`, up to `limit` bytes.

    What ends early, is damaged, unreadable or too large is used as far as it goes, and noted.
    """
    size = 0
    try:
        with path.open("rb") as stream:
            for block in _unpacked(stream) if path.suffix == ".gz" else _plain(stream):
                size += len(block)
                yield block
                if size > limit:
                    what = f"larger than {limit // 2**20} MiB unpacked; the rest is not read."
                    losses.note(part, f"{path.name}: {what}")
                    return
    except (EOFError, zlib.error) as error:
        what = f"damaged or cut off ({error}); what stands before is used."
        losses.note(part, f"{path.name}: {what}")
    except OSError as error:
        losses.note(part, f"{path.name}: cannot be read ({error.strerror}).")


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(_BLOCK_BYTES):
        yield block


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    # zlib rather than `gzip`: it hands out all that precedes a cut, and never more than a block.
    engine, fed = zlib.decompressobj(_GZIP_OR_ZLIB), False
    while packed := stream.read(_BLOCK_BYTES):
        while packed:
            yield engine.decompress(packed, _BLOCK_BYTES)
            fed = True
            packed = engine.unconsumed_tail
            if engine.eof:
                packed, fed = engine.unused_data, False
                engine = zlib.decompressobj(_GZIP_OR_ZLIB)
    if fed:
        yield engine.flush()
        if not engine.eof:
            raise EOFError("the compressed data ends early")
