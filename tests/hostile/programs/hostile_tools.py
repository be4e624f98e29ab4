"""Tools of the hostile programs.

They import the C modules beneath `socket` and `signal`: in an emulated machine each start counts.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import os
from collections.abc import Callable, Mapping

Bait = Mapping[str, str]
IS_X86 = os.uname().machine == "x86_64"
_libc = ctypes.CDLL(None, use_errno=True)


def must_fail(what: str, attempt: Callable[[], object]) -> None:
    try:
        result = attempt()
    except (OSError, PermissionError, ValueError):
        return
    escaped(f"{what}: {result!r}")


def escaped(what: str) -> None:
    print(f"ESCAPED {what}", flush=True)


def read(path: str) -> bytes:
    if os.path.isdir(path):
        return repr(os.listdir(path)).encode()
    with open(path, "rb") as opened:
        return opened.read(16)


def write(path: str, content: bytes, flags: int = 0) -> str:
    handle = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    return path


def mount(kind: str, target: str) -> int:
    return libc("mount", kind.encode(), target.encode(), kind.encode(), 0, b"")


def connect(family: int, address: tuple[str, int] | str) -> None:
    opened = _socket.socket(family, _socket.SOCK_STREAM)
    opened.settimeout(1)
    opened.connect(address)
    opened.sendall(b"out")


def enter(path: str) -> int:
    handle = os.open(path, os.O_RDONLY)
    return libc("setns", handle, 0)


def child_of(pid: int) -> int:
    if not pid:
        os._exit(0)
    return pid


def libc(name: str, *arguments: int | bytes) -> int:
    return checked(getattr(_libc, name)(*map(wide, arguments)))


def call(number: int, *arguments: int | bytes) -> int:
    _libc.syscall.restype = ctypes.c_long
    return checked(_libc.syscall(ctypes.c_long(number), *map(wide, arguments)))


def wide(argument: int | bytes) -> ctypes.c_long | bytes:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, errno.errorcode.get(number, "?"))
    return result
