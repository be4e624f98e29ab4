"""Log files, followed through rotation, truncation and half-written lines, and searched.

A cursor tells how far each file was read, with its inode and a hash of its head, so that a file
that was renamed is read to its end, and one that took another's inode is read from its start.
"""

from __future__ import annotations

import asyncio
import glob
import gzip
import os
import re
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import orjson

from opsmith.errors import BadInput
from opsmith.nouns.log_line import LogLine, LogQuery

# A line that is longer is cut; programs that write longer ones mean a dump, not a line.
LONGEST_LINE = 256 * 1024
# Read at once of one file, so that a backlog does not fill the memory.
MOST_BYTES_AT_ONCE = 8 * 1024 * 1024
MOST_FILES = 1_000
HEAD_BYTES = 256
# Lines are written in order of time but for this much, and read from this far before.
LATE = timedelta(minutes=5)
MARGIN_BYTES = 1024 * 1024
# A stack trace that is longer hides the time of the line before it.
PROBED_LINES = 200
# In a cursor, the file that was under this name before.
BEFORE = "\n"
# As logrotate, log4j, Python and container runtimes name what they rotate away.
_ROTATED = re.compile(r"[.-](?:\d[\dT_.:-]*|old|bak)(?:\.gz)?$")

Read = Callable[[Iterable[str], str, datetime], Iterator[LogLine]]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read. head: hash of its first `head_bytes` bytes."""

    device: int
    inode: int
    offset: int
    head: str
    head_bytes: int


class FileLogs:
    """The logs seam over files of this machine.

    patterns: paths, with `*`, `?` and `**`, as the operator wrote them. read: turns lines of a
    file (by its name) into records. clock: for lines that name no time.
    """

    def __init__(
        self, patterns: Sequence[str], *, read: Read, clock: Callable[[], datetime]
    ) -> None:
        self._patterns = tuple(patterns)
        self._read = read
        self._clock = clock

    async def search(self, query: LogQuery) -> tuple[LogLine, ...]:
        """The newest records that fit, of every file and of those rotated away beside it."""
        return await asyncio.to_thread(self._search, query)

    async def new(self, cursor: str) -> tuple[tuple[LogLine, ...], str]:
        """What was written after `cursor`; an empty one begins at the ends of the files."""
        return await asyncio.to_thread(self._new, cursor)

    async def aclose(self) -> None:
        """Nothing is held between questions."""

    def _search(self, query: LogQuery) -> tuple[LogLine, ...]:
        now = self._clock()
        newest: list[LogLine] = []
        for path in self._files():
            for part in (*_rotated(path), path):
                # What was last written before the time asked for holds nothing of it.
                if (told := _stat(part)) and told.st_mtime >= query.start.timestamp():
                    lines = self._within(part, str(path), query, now=now)
                    newest.extend(deque(filter(query.fits, lines), maxlen=query.limit))
            newest.sort(key=lambda line: line.at)
            del newest[: -query.limit]
        return tuple(newest)

    def _within(
        self, path: Path, source: str, query: LogQuery, *, now: datetime
    ) -> Iterator[LogLine]:
        """The records of a file from about the start of the question to about its end."""
        lines = _lines(path, self._begin(path, query.start, now=now))
        for line in self._read(lines, source, now):
            # A line that names no time has that of now.
            if line.at > query.end + LATE and line.at != now:
                return
            yield line

    def _begin(self, path: Path, start: datetime, *, now: datetime) -> int:
        """From where on lines of `start` may stand, as a log is written in order of time."""
        told = _stat(path)
        first, last = 0, 0 if told is None or path.suffix == ".gz" else told.st_size
        while last - first > MARGIN_BYTES:
            middle = (first + last) // 2
            probed = self._read(islice(_lines(path, middle), PROBED_LINES), "", now)
            at = next((line.at for line in probed if line.at != now), None)
            if at is None:
                break
            first, last = (middle, last) if at < start - LATE else (first, middle)
        return max(0, first - MARGIN_BYTES)

    def _new(self, cursor: str) -> tuple[tuple[LogLine, ...], str]:
        places = _loaded(cursor)
        found: list[LogLine] = []
        for path in self._files():
            if cursor or str(path) in places:
                found.extend(self._follow(path, places))
            elif (made := _end_of(path)) is not None:
                places[str(path)] = made
        told = {name: astuple(place) for name, place in places.items()}
        return tuple(found), orjson.dumps(told).decode()

    def _follow(self, path: Path, places: dict[str, Place]) -> Iterator[LogLine]:
        """What is new in a file, and in the one that was in its place before."""
        name, place = str(path), places.get(str(path))
        if place is not None and not _is(path, place):
            places[name + BEFORE], place = place, None
        if (before := places.get(name + BEFORE)) is not None:
            # Its writer may hold it open for a while, so it is looked at until the next one goes.
            old = next((one for one in _rotated(path) if _is(one, before)), None)
            if old is not None and old.suffix != ".gz":
                yield from self._drain(old, before.offset, name, name + BEFORE, places)
        start = 0 if place is None else place.offset
        yield from self._drain(path, start, name, name, places)

    def _drain(
        self, path: Path, start: int, source: str, key: str, places: dict[str, Place]
    ) -> Iterator[LogLine]:
        """The records after `start`; the place under `key` moves on."""
        lines, end = _whole_lines(path, start)
        yield from self._read(lines, source, self._clock())
        if (made := _place(path, end)) is not None:
            places[key] = made

    def _files(self) -> list[Path]:
        """The files of the patterns, in order, without those that others were rotated to."""
        found = {
            Path(name)
            for pattern in self._patterns
            for name in glob.iglob(pattern, recursive=True)  # noqa: PTH207 - absolute patterns
        }
        files = [one for one in sorted(found) if one.is_file() and not _is_rotated(one, found)]
        if len(files) > MOST_FILES:
            names = ", ".join(self._patterns)[:200]
            raise BadInput(f"More than {MOST_FILES} files match {names}.")
        return files


def _is_rotated(path: Path, files: Collection[Path]) -> bool:
    plain = _ROTATED.sub("", path.name)
    return plain != path.name and path.with_name(plain) in files


def _is(path: Path, place: Place) -> bool:
    """Whether this is still the file, not shorter, with the head that it had."""
    told = _stat(path)
    if told is None or (told.st_dev, told.st_ino) != (place.device, place.inode):
        return False
    return told.st_size >= place.offset and _head(path, place.head_bytes) == place.head


def _rotated(path: Path) -> list[Path]:
    """What was rotated away from `path`, the oldest first."""
    try:
        beside = [
            (one.stat().st_mtime, one)
            for one in path.parent.iterdir()
            if one.name != path.name and _ROTATED.sub("", one.name) == path.name and one.is_file()
        ]
    except OSError:
        return []
    return [one for _, one in sorted(beside)]


def _whole_lines(path: Path, start: int) -> tuple[list[str], int]:
    """The whole lines after `start`, and where the next one begins."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            block = file.read(MOST_BYTES_AT_ONCE)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    end = block.rfind(b"\n") + 1
    if not end and len(block) >= LONGEST_LINE:
        end = len(block)
    lines = [one[:LONGEST_LINE] for one in block[:end].splitlines()]
    return [line.decode("utf-8", "replace") for line in lines], start + end


def _lines(path: Path, start: int = 0) -> Iterator[str]:
    """The whole lines of a file after `start`, packed or not, long ones cut."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            if start:
                file.seek(start - 1)
                file.readline()
            while line := file.readline(LONGEST_LINE):
                yield line.decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be read ({error}).") from error


def _end_of(path: Path) -> Place | None:
    told = _stat(path)
    if told is None:
        return None
    # Behind the last whole line: what is half written is given when it is whole.
    back = min(told.st_size, LONGEST_LINE)
    try:
        with path.open("rb") as file:
            file.seek(told.st_size - back)
            tail = file.read(back)
    except OSError:
        return None
    return _place(path, told.st_size - back + tail.rfind(b"\n") + 1)


def _place(path: Path, offset: int) -> Place | None:
    told = _stat(path)
    if told is None:
        return None
    length = min(offset, HEAD_BYTES)
    return Place(told.st_dev, told.st_ino, offset, _head(path, length), length)


def _head(path: Path, length: int) -> str:
    try:
        with path.open("rb") as file:
            return blake2b(file.read(length), digest_size=8).hexdigest()
    except OSError:
        return ""


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _loaded(cursor: str) -> dict[str, Place]:
    """The places of a cursor; a damaged one is as good as none."""
    try:
        told = orjson.loads(cursor) if cursor else {}
        return {str(name): Place(*place) for name, place in told.items()}
    except (orjson.JSONDecodeError, TypeError, AttributeError):
        return {}
