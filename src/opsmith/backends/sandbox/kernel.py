"""Kernel: the system calls that confine a process and that Python has no name for.

Numbers from the kernel's own headers; those above 423 are the same on every machine.
"""

from __future__ import annotations

import ctypes
import os

# include/uapi/linux/sched.h
NEW_MOUNTS = 0x00020000
NEW_CGROUP = 0x02000000
NEW_UTS = 0x04000000
NEW_IPC = 0x08000000
NEW_USER = 0x10000000
NEW_PID = 0x20000000
NEW_NET = 0x40000000
# include/uapi/linux/mount.h
NOSUID, NODEV, NOEXEC = 2, 4, 8
RECURSIVE, SLAVE = 1 << 14, 1 << 19
DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
# include/uapi/linux/prctl.h
_DEATH_SIGNAL, _DUMPABLE, _BOUNDING_DROP, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 24, 38, 47
_AMBIENT_CLEAR_ALL = 4
# include/uapi/linux/capability.h, version 3
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"

_OPEN_TREE, _MOVE_MOUNT, _CLOSE_RANGE, _MOUNT_SETATTR = 428, 429, 436, 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_AT_HERE = -100
AT_RECURSIVE = 0x8000
_CLONE_TREE, _CLOSE_ON_EXEC = 1, 0o2000000
_FROM_EMPTY_PATH = 4
_RANGE_CLOSE_ON_EXEC = 4
_LAST_HANDLE = 0xFFFFFFFF
# include/uapi/asm-generic/signal-defs.h: SIG_IGN
_IGNORE = 1

MACHINE = os.uname().machine
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call. Raises `OSError`."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *wide))


def unshare(spaces: int) -> None:
    """Leave the given namespaces for new ones. Raises `OSError`."""
    _checked(_libc.unshare(ctypes.c_int(spaces)))


def map_ids(uid: int, gid: int) -> None:
    """Be the same user and group in a new user namespace as outside, and know nobody else."""
    prctl(_DUMPABLE, 1)  # else /proc/self belongs to root after a change of user
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def mount(kind: str | None, target: str, flags: int, data: str = "") -> None:
    """Mount a file system that has no device. Raises `OSError`."""
    name = kind.encode() if kind else None
    _checked(
        _libc.mount(name, target.encode(), name, ctypes.c_ulong(flags), data.encode() or None)
    )


def tree_of(path: str) -> int:
    """A handle of a copy of the mounts at `path`, not yet anywhere. Raises `OSError`."""
    flags = _CLONE_TREE | _CLOSE_ON_EXEC | AT_RECURSIVE
    return syscall(_OPEN_TREE, _AT_HERE, path.encode(), flags)


def put_tree(tree: int, target: str, attributes: int) -> None:
    """Mount a tree at `target`, all of it with these attributes. Raises `OSError`."""
    syscall(_MOVE_MOUNT, tree, b"", _AT_HERE, target.encode(), _FROM_EMPTY_PATH)
    os.close(tree)
    set_attributes(target, attributes, flags=AT_RECURSIVE)


def set_attributes(target: str, attributes: int, *, flags: int = 0) -> None:
    """Add attributes to a mount. Raises `OSError`."""
    wanted = attributes.to_bytes(8, "little") + bytes(24)
    syscall(_MOUNT_SETATTR, _AT_HERE, target.encode(), flags, wanted, len(wanted))


def enter_root(folder: str) -> None:
    """Make `folder` the root and let go of the old one. Raises `OSError`."""
    os.chdir(folder)
    syscall(_PIVOT_ROOT[MACHINE], b".", b".")
    _checked(_libc.umount2(b".", DETACH))
    os.chdir("/")


def set_host_name(name: str) -> None:
    """The name in this UTS namespace. Raises `OSError`."""
    _checked(_libc.sethostname(name.encode(), len(name)))


def close_from(first: int, last: int = _LAST_HANDLE, *, at_exec: bool = False) -> None:
    """Close a range of handles, now or when the next program begins."""
    if first <= last:
        syscall(_CLOSE_RANGE, first, last, _RANGE_CLOSE_ON_EXEC if at_exec else 0)


def prctl(option: int, *values: int) -> int:
    """Change something of this process, all arguments given. Raises `OSError`."""
    wide = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(ctypes.c_int(option), *wide))


def die_with_parent() -> None:
    """Be killed when the parent dies; a change of user forgets it."""
    prctl(_DEATH_SIGNAL, 9)


def be_unreadable() -> None:
    """Let no process of the same user look into this one."""
    prctl(_DUMPABLE, 0)


def gain_nothing() -> None:
    """No program that is started from here gets more rights than this process has."""
    prctl(_NO_NEW_PRIVS, 1)


def drop_capabilities(last: int, *, kept: tuple[int, ...] = ()) -> None:
    """Give up the capabilities up to number `last`, and that any program may give one back.

    kept: numbers below 32 of those that stay.
    """
    for one in range(last + 1):
        if one not in kept:
            prctl(_BOUNDING_DROP, one)
    prctl(_AMBIENT, _AMBIENT_CLEAR_ALL)
    head = _CAPABILITY_VERSION.to_bytes(4, "little") + bytes(4)
    bits = sum(1 << one for one in kept).to_bytes(4, "little")
    syscall(_CAPSET[MACHINE], head, bits + bits + bytes(16))


def last_capability() -> int:
    """The highest number of a capability that this kernel has."""
    with open(_LAST_CAPABILITY) as opened:  # noqa: PTH123 - pathlib costs milliseconds here
        return int(opened.read())


def ignore_signal(number: int) -> None:
    """Let a signal do nothing, in here and in what is forked from here."""
    _libc.signal(ctypes.c_int(number), ctypes.c_void_p(_IGNORE))


def default_signal(number: int) -> None:
    """Let a signal do again what it does by itself."""
    _libc.signal(ctypes.c_int(number), None)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
