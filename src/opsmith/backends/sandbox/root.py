"""Root: the file system that a confined program sees, and nothing else of this machine.

Programs and libraries read-only, its own /proc, a few devices, a small private /tmp, its files in
/script, and the mounts that it was given. No /home, /var, /run, /sys, and of /etc what the dynamic
linker needs.
"""

from __future__ import annotations

import os
import stat

from opsmith.backends.sandbox import kernel
from opsmith.backends.sandbox.orders import Order

# Every Linux host has it, empty or not; the new root is made over it, unseen by anybody else.
_BASE = "/tmp"  # noqa: S108
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_FROM_ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/shm": "/tmp",  # noqa: S108
}
SCRIPTS = "/script"
PRIVATE = "/tmp"  # noqa: S108 - inside it is its own
_READ_ONLY = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_WRITABLE = kernel.ATTR_NOSUID | kernel.ATTR_NODEV
# Mount points and links take some room besides the files.
_SPARE_BYTES = 1 << 20
# A file of the private /tmp per so many bytes of it: the kernel's own ratio for ext4 (mke2fs).
_BYTES_PER_FILE = 16_384
_LEAST_FILES = 64


def build(order: Order) -> None:
    """Make the root of this mount namespace what the order says. Raises `OSError`."""
    system = [path for path in (*_SYSTEM, *_FROM_ETC) if os.path.lexists(path)]
    links = {path: os.readlink(path) for path in system if os.path.islink(path)}  # noqa: PTH114,PTH115
    trees = {path: kernel.tree_of(path) for path in (*system, *DEVICES) if path not in links}
    given = [(path, kernel.tree_of(path), writable) for path, writable in order.mounts]

    kernel.mount(None, "/", kernel.RECURSIVE | kernel.SLAVE)
    size = sum(map(len, order.files.values())) + _SPARE_BYTES
    kernel.mount("tmpfs", _BASE, kernel.NOSUID, f"mode=755,size={size}")
    for path, tree in trees.items():
        _put(path, tree, 0 if path in DEVICES else _READ_ONLY)
    for path, text in (links | _LINKS).items():
        _folder(os.path.dirname(path))  # noqa: PTH120
        os.symlink(text, _BASE + path)  # noqa: PTH211
    _write_files(order)
    _own_file_systems(order)
    for path, tree, writable in given:
        _put(path, tree, _WRITABLE if writable else _READ_ONLY)
    kernel.set_attributes(_BASE, _READ_ONLY & ~kernel.ATTR_NODEV)
    kernel.enter_root(_BASE)


def _own_file_systems(order: Order) -> None:
    kernel.mount(
        "proc",
        _folder("/proc"),
        kernel.NOSUID | kernel.NODEV | kernel.NOEXEC,
        "subset=pid,hidepid=invisible",
    )
    files = max(_LEAST_FILES, order.tmp_bytes // _BYTES_PER_FILE)
    kernel.mount(
        "tmpfs",
        _folder(PRIVATE),
        kernel.NOSUID | kernel.NODEV,
        f"mode=1777,size={order.tmp_bytes},nr_inodes={files}",
    )


def _write_files(order: Order) -> None:
    _folder("/etc")
    accounts = {
        "/etc/passwd": f"sandbox:x:{order.uid}:{order.gid}::{PRIVATE}:/usr/sbin/nologin\n",
        "/etc/group": f"sandbox:x:{order.gid}:\n",
    }
    scripts = {f"{SCRIPTS}/{name}": content for name, content in order.files.items()}
    _folder(SCRIPTS)
    for path, content in {**{p: t.encode() for p, t in accounts.items()}, **scripts}.items():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(_BASE + path, flags, mode=0o555)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)


def _put(path: str, tree: int, attributes: int) -> None:
    if _is_folder(tree):
        _folder(path)
    else:
        _folder(os.path.dirname(path))  # noqa: PTH120
        os.close(os.open(_BASE + path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode=0o444))
    kernel.put_tree(tree, _BASE + path, attributes)


def _is_folder(tree: int) -> bool:
    return stat.S_ISDIR(os.fstat(tree).st_mode)


def _folder(path: str) -> str:
    os.makedirs(_BASE + path, mode=0o755, exist_ok=True)  # noqa: PTH103
    return _BASE + path
