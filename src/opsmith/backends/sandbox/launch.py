"""Launch: the process that makes a sandbox, watches over it, and leaves nothing of it behind.

It is forked anew for every run and outlives the program, whatever that does. When opsmith dies,
its end of the line closes, and the launcher kills and clears away just the same.
"""

from __future__ import annotations

import os
import select
import time

from opsmith.backends.sandbox import groups, inside, kernel, seccomp
from opsmith.backends.sandbox.groups import Group
from opsmith.backends.sandbox.orders import Order, Told, Unconfined

_USER_SPACES = "user namespaces are refused here (sysctl user.max_user_namespaces, or AppArmor)"


def main(order_handle: int, alive: int, report: int) -> None:
    """Run one order; does not return. alive: readable when opsmith is gone or has had enough."""
    order = Order.read(order_handle)
    try:
        told = run(order, alive)
    except Unconfined as error:
        told = Told(why=str(error))
    except OSError as error:
        told = Told(why=f"{error.filename or 'the launcher'}: {error.strerror}")
    os.write(report, told.packed())
    os._exit(0)  # there is nothing to tidy up in here, and whoever waits, waits for this


def run(order: Order, alive: int) -> Told:
    """Make the group, the namespaces and the program; wait; clear away."""
    if not seccomp.is_known(kernel.MACHINE):
        raise Unconfined(f"there is no list of system calls for {kernel.MACHINE}")
    group = groups.make(f"{groups.PREFIX}{os.getpid()}")
    try:
        group.limit(order)
        told = _live(order, group, alive)
        group.kill()
        return _counted(told, group)
    finally:
        group.kill()
        group.remove()


def _live(order: Order, group: Group, alive: int) -> Told:
    is_root = os.geteuid() == 0
    _own_spaces(order, is_root=is_root)
    status, inside_status = os.pipe()
    gate, opened = os.pipe()
    began = time.monotonic()
    first = os.fork()
    if not first:
        os.close(opened)
        inside.live(order, group, (inside_status, gate), is_root=is_root)
    os.close(inside_status)
    os.close(gate)
    _let_go_of_streams()

    told = _watch((status, alive), began + order.wall_s, _Gate(group, order, opened))
    told.wall_s = time.monotonic() - began
    os.kill(first, groups.KILL)  # with it the kernel kills all of its namespace at once
    used = os.wait4(first, 0)[2]
    told.cpu_s = used.ru_utime + used.ru_stime
    told.held.insert(0, group.says)
    return told


class _Gate:
    """What the first process waits at once it is confined."""

    def __init__(self, group: Group, order: Order, handle: int) -> None:
        self._group, self._order, self._handle = group, order, handle

    def open(self) -> None:
        """Let the program begin, with its share of the processor."""
        self._group.weigh(self._order)
        os.write(self._handle, b"1")


def _own_spaces(order: Order, *, is_root: bool) -> None:
    """The next child is the first process of its own; who is not root needs a user namespace."""
    if is_root:
        kernel.unshare(kernel.NEW_PID)
        return
    try:
        kernel.unshare(kernel.NEW_USER | kernel.NEW_PID)
        kernel.map_ids(order.uid, order.gid)
    except OSError as error:
        raise Unconfined(_USER_SPACES) from error


def _let_go_of_streams() -> None:
    """Whoever reads the output then sees its end when the last of the program is dead."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)


def _watch(handles: tuple[int, int], until: float, gate: _Gate) -> Told:
    """Hear what the first process says until it is gone, the time is over, or nobody waits."""
    status, alive = handles
    poll = select.poll()
    for one in handles:
        poll.register(one, select.POLLIN)
    heard = b""
    while True:
        left_ms = max(0, int((until - time.monotonic()) * 1000))
        ready = dict(poll.poll(left_ms))
        if alive in ready:
            return _told(heard, "abandoned")
        if not ready:
            return _told(heard, "timed_out")
        part = os.read(status, 4096)
        if not part:
            return _told(heard, "")
        if b"\nready\n" in heard + part and b"\nready\n" not in heard:
            gate.open()
        heard += part


def _told(heard: bytes, ending: str) -> Told:
    told = Told(ending=ending or "signalled", code=groups.KILL)
    for line in heard.decode(errors="replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "held":
            told.held.append(rest)
        elif word in {"exited", "signalled"} and not ending:
            told.ending, told.code = word, int(rest)
        elif word in {"failed", "unstartable"}:
            return Told(ending="unconfined" if word == "failed" else word, why=rest)
    return told


def _counted(told: Told, group: Group) -> Told:
    counters = group.counters()
    told.cpu_s = told.cpu_s if counters.cpu_s is None else counters.cpu_s
    told.memory_peak_bytes = counters.memory_peak_bytes
    told.forks_refused = counters.forks_refused
    if counters.oom_kills and told.ending in {"exited", "signalled"}:
        told.ending = "out_of_memory"
    return told
