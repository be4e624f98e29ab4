"""Inside: what the first process of a sandbox does before, and besides, the program itself.

Each step that fails ends it before the program begins: less confined than promised is not run.
What it tells the launcher, a line each: `held NAME`, `ready`, `failed WHY`, `unstartable WHY`,
`exited CODE`, `signalled NUMBER`.
"""

from __future__ import annotations

import os
import resource

from opsmith.backends.sandbox import kernel, landlock, root, seccomp
from opsmith.backends.sandbox.groups import Group
from opsmith.backends.sandbox.orders import Order, Unconfined

_SPACES = kernel.NEW_MOUNTS | kernel.NEW_NET | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_CGROUP
_HANDLES = 256
# With 1, and not with 0, the kernel also leaves a core_pattern program alone (fs/coredump.c).
_NO_CORE = 1
# Python ignores these two (SIGPIPE, SIGXFSZ), and who is started inherits that.
_IGNORED_BY_PYTHON = (13, 25)
_CANNOT_START = 127


def live(order: Order, group: Group, handles: tuple[int, int], *, is_root: bool) -> None:
    """Confine this process, start the program, wait for it; does not return.

    handles: where it tells what it does, and a gate: a byte says that the program may begin.
    """
    status, gate = handles
    try:
        group.enter()  # nothing is done before it is in its group
        _confine(order, status, gate, is_root=is_root)
        _say(status, "ready")
        if not os.read(gate, 1):
            return
        program = os.fork()
        if not program:
            _start(order, status)
        _say(status, _wait_for(program))
    except OSError as error:
        _say(status, f"failed {error.strerror} ({_place(error)})")
    except Unconfined as error:
        _say(status, f"failed {error}")
    finally:
        os._exit(0)  # the kernel kills whatever else is in this namespace


def _confine(order: Order, status: int, gate: int, *, is_root: bool) -> None:
    low, high = sorted((status, gate))
    kernel.close_from(3, low - 1)
    kernel.close_from(low + 1, high - 1)
    kernel.close_from(high + 1)
    kernel.die_with_parent()
    os.setsid()
    kernel.unshare(_SPACES)
    kernel.set_host_name("sandbox")
    last = kernel.last_capability()
    root.build(order)
    spaces = "user, pid, mount, net, ipc, uts, cgroup"
    if is_root and not _become(order):
        spaces = spaces.removeprefix("user, ")
    kernel.drop_capabilities(last)
    kernel.gain_nothing()
    _say(status, f"held namespaces ({spaces})")
    _say(status, f"held uid {os.getuid()}, no capabilities, no new privileges")
    _limit(order)
    writable = [path for path, is_writable in order.mounts if is_writable]
    changed = [root.PRIVATE, *root.DEVICES, *writable]
    version = landlock.allow_only(seen=["/"], changed=changed)
    if version:
        _say(status, f"held Landlock {version}")
    seccomp.refuse_calls()
    _say(status, "held seccomp")
    kernel.be_unreadable()
    kernel.die_with_parent()


def _become(order: Order) -> bool:
    """Stop being root; whether a user namespace shuts the door behind."""
    os.setgroups([])
    for one in (os.setresgid, os.setresuid):
        number = order.gid if one is os.setresgid else order.uid
        one(number, number, number)
    try:
        kernel.unshare(kernel.NEW_USER)
        kernel.map_ids(order.uid, order.gid)
    except OSError:
        return False
    return True


def _limit(order: Order) -> None:
    limits = {
        resource.RLIMIT_NOFILE: _HANDLES,
        resource.RLIMIT_CORE: _NO_CORE,
        resource.RLIMIT_FSIZE: order.file_bytes,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))


def _start(order: Order, status: int) -> None:
    try:
        os.setsid()
        for number in _IGNORED_BY_PYTHON:
            kernel.default_signal(number)
        os.umask(0o077)
        os.chdir(root.PRIVATE)
        kernel.close_from(3, at_exec=True)
        program = order.argv[0]
        os.execve(program, order.argv, order.environment)  # noqa: S606
    except (OSError, ValueError) as error:
        _say(status, f"unstartable {order.argv[0].decode(errors='replace')}: {error}")
    finally:
        os._exit(_CANNOT_START)


def _wait_for(program: int) -> str:
    """Bury whoever dies in this namespace, until it is the program."""
    while True:
        pid, ending = os.wait()
        if pid == program:
            code = os.waitstatus_to_exitcode(ending)
            return f"exited {code}" if code >= 0 else f"signalled {-code}"


def _say(status: int, line: str) -> None:
    os.write(status, line.encode() + b"\n")


def _place(error: OSError) -> str:
    """Where in this package it happened: a kernel says only EPERM."""
    at = error.__traceback__
    name = "?"
    while at is not None:
        name = (
            at.tb_frame.f_code.co_name
            if at.tb_frame.f_globals["__name__"] != kernel.__name__
            else name
        )
        at = at.tb_next
    return name
