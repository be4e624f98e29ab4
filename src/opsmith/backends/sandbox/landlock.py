"""Landlock: which files a confined process may open, whatever the mounts say.

Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux 6.12.
"""

from __future__ import annotations

import os
import struct

from opsmith.backends.sandbox import kernel

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _READ_FOLDER = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
# How many of the file rights each version of the interface knows, the version counted from 1.
_RIGHTS_BY_VERSION = (13, 14, 15, 15, 16)
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_NETWORK, _SCOPES = 3, 3

SEEN = _EXECUTE | _READ | _READ_FOLDER
OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL


def version() -> int:
    """The interface that this kernel has, 0 for none."""
    try:
        return kernel.syscall(_CREATE, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def allow_only(*, seen: list[str], changed: list[str]) -> int:
    """Let this process see and run what is below `seen` and do all below `changed`; no TCP.

    Gives the version that holds, 0 where the kernel has no Landlock. Raises `OSError`.
    """
    known = version()
    if not known:
        return 0
    rights = (1 << _RIGHTS_BY_VERSION[min(known, len(_RIGHTS_BY_VERSION)) - 1]) - 1
    network = _NETWORK if known >= _NETWORK_SINCE else 0
    scopes = _SCOPES if known >= _SCOPES_SINCE else 0
    size = 8 + 8 * (known >= _NETWORK_SINCE) + 8 * (known >= _SCOPES_SINCE)
    head = struct.pack("<QQQ", rights, network, scopes)[:size]
    rules = kernel.syscall(_CREATE, head, size, 0)
    try:
        for path in seen:
            _allow(rules, path, rights & SEEN)
        for path in changed:
            _allow(rules, path, rights)
        kernel.syscall(_RESTRICT, rules, 0)
    finally:
        os.close(rules)
    return known


def _allow(rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        below = rights if os.path.isdir(path) else rights & OF_FILES  # noqa: PTH112 - see kernel
        kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("<Qi", below, place), 0)
    finally:
        os.close(place)
