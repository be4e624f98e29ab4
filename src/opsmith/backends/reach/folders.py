"""Folders: files below a root, reached so that no link and no race leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from opsmith.errors import BadAnswer, BadInput, NotFound, Unreachable

# Blocks of `st_blocks`, whatever the file system's own size (POSIX leaves it open; Linux: 512).
BLOCK_BYTES = 512
_LINK = {errno.ELOOP, errno.ENOTDIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One file: its path below the root, what it takes on disk, when it was last written."""

    path: str
    size_bytes: int
    written_at_s: float


def old_files(root: Path, *, pattern: str, before_s: float) -> tuple[Leaf, ...]:
    """The regular files below `root` that fit and were last written before a time, by path.

    Links are neither followed nor listed; other file systems are not entered.
    """
    with _translated(root):
        device = root.stat(follow_symlinks=False).st_dev
        return tuple(sorted(_walk(root, pattern, before_s, device), key=lambda leaf: leaf.path))


def remove(root: Path, path: str, *, written_at_s: float) -> int:
    """Delete one file if it is still the one that was listed; the bytes that this freed."""
    with _translated(root), _parent(root, path) as (folder, name):
        found = _same(folder, name, written_at_s)
        if found is None:
            return 0
        os.unlink(name, dir_fd=folder)
        return found.st_blocks * BLOCK_BYTES if found.st_nlink == 1 else 0


def move(root: Path, path: str, to: str) -> bool:
    """Rename within the root, never over a file that is there; whether there was one to move."""
    with _translated(root):
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        with _parent(root, path) as (here, name), _parent(root, to) as (there, target):
            try:
                os.link(name, target, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
            except FileNotFoundError:
                return False
            except FileExistsError as error:
                raise BadAnswer(f"{to} is there already; nothing was moved over it.") from error
            os.unlink(name, dir_fd=here)
            return True


def read_text(file: Path, *, largest: int) -> str:
    """The text of a regular file. Raises `NotFound`, `BadInput`, `Unreachable`."""
    with _translated(file), _parent(file.parent, file.name) as (folder, name):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(handle, "rb") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise BadInput(f"{file.name} is no regular file.")
            content = opened.read(largest + 1)
    if len(content) > largest:
        raise BadInput(f"{file.name} is larger than {largest} bytes.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file.name} is not UTF-8 text.") from error


def write_text(file: Path, text: str) -> None:
    """Replace a file at once, with its mode and owner kept; it is whole, old or new."""
    with _translated(file), _parent(file.parent, file.name) as (folder, name):
        old = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(old.st_mode):
            raise BadInput(f"{file.name} is no regular file.")
        part = f".{name}.opsmith"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        handle = os.open(part, flags, mode=0o600, dir_fd=folder)
        with os.fdopen(handle, "wb") as opened:
            opened.write(text.encode())
            opened.flush()
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, old.st_uid, old.st_gid)
            os.fchmod(handle, stat.S_IMODE(old.st_mode))
            os.fsync(handle)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)


def _walk(root: Path, pattern: str, before_s: float, device: int) -> Iterator[Leaf]:
    for folder, below, names, handle in os.fwalk(root, follow_symlinks=False):
        below[:] = [
            one
            for one in below
            if os.stat(one, dir_fd=handle, follow_symlinks=False).st_dev == device
        ]
        place = Path(folder).relative_to(root)
        for name in names:
            if not fnmatchcase(name, pattern):
                continue
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_mtime < before_s:
                yield Leaf(
                    path=str(place / name),
                    size_bytes=found.st_blocks * BLOCK_BYTES,
                    written_at_s=found.st_mtime,
                )


def _same(folder: int, name: str, written_at_s: float) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    still = stat.S_ISREG(found.st_mode) and found.st_mtime == written_at_s
    return found if still else None


@contextmanager
def _parent(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """An open handle of the folder that holds `path`, walked down without following a link."""
    *above, name = Path(path).parts or ("",)
    if Path(path).is_absolute() or ".." in (*above, name) or not name:
        raise BadInput(f"{path[:80]!r} does not lie below the folder.")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in above:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            deeper = os.open(part, flags, dir_fd=handle)
            os.close(handle)
            handle = deeper
        yield handle, name
    finally:
        os.close(handle)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{place.name} is not there.") from error
    except OSError as error:
        if error.errno in _LINK:
            raise BadInput(
                f"{place.name} leads through a link; links are not followed."
            ) from error
        raise Unreachable(f"{place.name} cannot be used: {error.strerror}.") from error
