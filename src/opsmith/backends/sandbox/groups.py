"""Control groups: how much memory, how many tasks and what share of the processor; v2, else v1.

A group is made below one that this process may use, and is gone when the run is over. Names carry
the launcher's process id, so that what a killed launcher left is known and swept away.
Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of Linux 6.12.
"""

from __future__ import annotations

import os
import time

from opsmith.backends.sandbox.orders import Order, Unconfined

NEEDED = ("memory", "pids", "cpu")
PREFIX = "opsmith-"
UNIFIED = 2
# SIGKILL; the module `signal` would cost more to import than all the rest.
KILL = 9
# A killed process leaves its group when its last thread is gone; a busy host takes a while.
EMPTY_WITHIN_S = 10.0
# cgroup v1 counts 1024 shares where v2 counts a weight of 100.
_SHARES_PER_WEIGHT = 1024 / 100
_LEAST_SHARES = 2


class Counters:
    """What the kernel counted in a group. cpu_s: None with v1, which counts it elsewhere."""

    oom_kills = 0
    forks_refused = 0
    memory_peak_bytes = 0
    cpu_s: float | None = None


class Group:
    """The group of one run. folders: its folder, by controller; with v2 all are the same."""

    def __init__(self, version: int, folders: dict[str, str]) -> None:
        self.version = version
        self.folders = folders

    @property
    def says(self) -> str:
        """What holds, for the record."""
        names = ", ".join(name for name in self.folders if name in NEEDED)
        return f"cgroup v{self.version} ({names})"

    def limit(self, order: Order) -> None:
        """Set the limits of memory and tasks. Raises `OSError`."""
        rules = _limits_v2(order) if self.version == UNIFIED else _limits_v1(order)
        for controller, name, value, is_needed in rules:
            path = f"{self.folders[controller]}/{name}"
            if is_needed or os.path.exists(path):  # noqa: PTH110 - pathlib costs milliseconds here
                _write(path, value)

    def weigh(self, order: Order) -> None:
        """Set the share of the processor: last, so that it does not slow down the set-up."""
        if self.version == UNIFIED:
            _write(f"{self.folders['cpu']}/cpu.weight", str(order.cpu_weight))
            return
        shares = max(_LEAST_SHARES, int(order.cpu_weight * _SHARES_PER_WEIGHT))
        _write(f"{self.folders['cpu']}/cpu.shares", str(shares))

    def enter(self) -> None:
        """Put this process in, which has one thread. Raises `OSError`.

        Who goes in by itself as a thread (v1) spares the kernel a lock that waits for every
        processor (`cgroup_procs_write_start` in kernel/cgroup/cgroup.c), some 3 ms a folder.
        """
        name = "cgroup.procs" if self.version == UNIFIED else "tasks"
        for folder in sorted(set(self.folders.values())):
            _write(f"{folder}/{name}", "0")

    def kill(self) -> None:
        """Kill all that is in it, and wait until nothing is. Raises `Unconfined` if it stays."""
        until = time.monotonic() + EMPTY_WITHIN_S
        pause_s = 0.001
        while self._living():
            self._kill_once()
            if time.monotonic() > until:
                raise Unconfined(f"processes {self._living()} do not die")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.05)

    def counters(self) -> Counters:
        """What was counted; a counter that this kernel lacks stays 0."""
        found = Counters()
        memory, tasks = self.folders["memory"], self.folders["pids"]
        found.forks_refused = _field(f"{tasks}/pids.events", "max")
        if self.version == UNIFIED:
            found.oom_kills = _field(f"{memory}/memory.events", "oom_kill")
            found.memory_peak_bytes = _number(f"{memory}/memory.peak")
            found.cpu_s = _field(f"{memory}/cpu.stat", "usage_usec") / 1e6
            return found
        found.oom_kills = _field(f"{memory}/memory.oom_control", "oom_kill")
        found.memory_peak_bytes = _number(f"{memory}/memory.max_usage_in_bytes")
        return found

    def remove(self) -> None:
        """Remove the folders; an empty group can be removed."""
        for folder in set(self.folders.values()):
            try:
                os.rmdir(folder)  # noqa: PTH106
            except FileNotFoundError:
                continue

    def _living(self) -> list[int]:
        return [int(word) for word in _read(f"{self.folders['pids']}/cgroup.procs").split()]

    def _kill_once(self) -> None:
        if self.version == UNIFIED:
            try:
                _write(f"{self.folders['pids']}/cgroup.kill", "1")
            except FileNotFoundError:
                self._signal_all()
            return
        self._signal_all()

    def _signal_all(self) -> None:
        for pid in self._living():
            try:
                os.kill(pid, KILL)
            except ProcessLookupError:
                continue


def make(name: str) -> Group:
    """A new group. Raises `Unconfined` with what this host lacks."""
    parents, version, why = find(enable=True)
    if not version:
        raise Unconfined(why)
    folders = {controller: f"{parent}/{name}" for controller, parent in parents.items()}
    for parent in set(parents.values()):
        _sweep(parent)
    for folder in dict.fromkeys(folders.values()):
        os.mkdir(folder)  # noqa: PTH102
    return Group(version, folders)


def find(*, enable: bool) -> tuple[dict[str, str], int, str]:
    """Where groups can be made: (parent by controller, version or 0, why there is none).

    enable: turn the controllers on where a v2 group has them off; else nothing is changed.
    """
    mounts = [line.split() for line in _read("/proc/self/mounts").splitlines()]
    own = dict(_membership(line) for line in _read("/proc/self/cgroup").splitlines())
    parent, why = _parent_v2(mounts, own, enable=enable)
    if parent:
        return dict.fromkeys(NEEDED, parent), UNIFIED, ""
    parents, why_v1 = _parents_v1(mounts, own)
    return (parents, 0, f"{why}; {why_v1}") if why_v1 else (parents, 1, "")


def _membership(line: str) -> tuple[str, str]:
    _, controllers, path = line.split(":", 2)
    return controllers, path


def _parent_v2(mounts: list[list[str]], own: dict[str, str], *, enable: bool) -> tuple[str, str]:
    """The nearest group above this process whose children can have all controllers."""
    tops = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
    if not tops:
        return "", "cgroup v2 is not mounted"
    top, path = tops[0], own.get("", "/").rstrip("/")
    missing = set(NEEDED) - set(_read(f"{top}/cgroup.controllers").split())
    if missing:
        return "", f"cgroup v2 has no {', '.join(sorted(missing))} controller here"
    while True:
        folder = top + path
        if _takes_children(folder, enable=enable):
            return folder, ""
        if not path:
            return "", (
                "no cgroup v2 group above this process may be used (start opsmith by"
                " `systemd-run --user --scope -p Delegate=yes`, or as a unit with Delegate=yes)"
            )
        path = path.rpartition("/")[0]


def _takes_children(folder: str, *, enable: bool) -> bool:
    """Whether a child can be made there, and this process' children be put into it."""
    if not os.access(folder, os.W_OK) or not os.access(f"{folder}/cgroup.procs", os.W_OK):
        return False
    on = f"{folder}/cgroup.subtree_control"
    if set(NEEDED) <= set(_read(on).split()):
        return True
    if not enable:
        return os.access(on, os.W_OK) and set(NEEDED) <= set(
            _read(f"{folder}/cgroup.controllers").split()
        )
    try:
        _write(on, " ".join(f"+{name}" for name in NEEDED))
    except OSError:  # processes of its own, or a controller that was not handed down
        return False
    return True


def _parents_v1(mounts: list[list[str]], own: dict[str, str]) -> tuple[dict[str, str], str]:
    places = {
        controller: (fields[1], _own_path(own, controller))
        for fields in mounts
        if fields[2] == "cgroup"
        for controller in fields[3].split(",")
        if controller in NEEDED
    }
    parents = {name: _usable(top, path) for name, (top, path) in places.items()}
    absent = [name for name in NEEDED if name not in parents]
    closed = [name for name in NEEDED if name in parents and not parents[name]]
    if absent:
        return {}, f"cgroup v1 has no {', '.join(absent)} controller here"
    if closed:
        return {}, f"the cgroup v1 folders of {', '.join(closed)} may not be written"
    return {name: folder for name, folder in parents.items() if folder}, ""


def _usable(top: str, path: str) -> str:
    """The group of this process, or the top where a container does not show it; empty for none."""
    for folder in (top + path.rstrip("/"), top):
        if os.path.isdir(folder):  # noqa: PTH112
            return folder if os.access(folder, os.W_OK) else ""
    return ""


def _own_path(own: dict[str, str], controller: str) -> str:
    return next((path for names, path in own.items() if controller in names.split(",")), "/")


def _limits_v2(order: Order) -> list[tuple[str, str, str, bool]]:
    return [
        ("memory", "memory.max", str(order.memory_bytes), True),
        ("memory", "memory.swap.max", "0", False),
        ("memory", "memory.oom.group", "1", False),
        ("pids", "pids.max", str(order.tasks), True),
    ]


def _limits_v1(order: Order) -> list[tuple[str, str, str, bool]]:
    return [
        ("memory", "memory.limit_in_bytes", str(order.memory_bytes), True),
        ("memory", "memory.memsw.limit_in_bytes", str(order.memory_bytes), False),
        ("memory", "memory.swappiness", "0", False),
        ("pids", "pids.max", str(order.tasks), True),
    ]


def _sweep(parent: str) -> None:
    """Remove groups whose launcher is dead."""
    for name in os.listdir(parent):  # noqa: PTH208
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and pid.isdigit() and not os.path.isdir(f"/proc/{pid}"):  # noqa: PTH112
            _let_go(f"{parent}/{name}")


def _let_go(folder: str) -> None:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except OSError:  # somebody else swept it, or its last process is still dying
        return


def _read(path: str) -> str:
    with open(path) as opened:  # noqa: PTH123
        return opened.read()


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def _number(path: str) -> int:
    try:
        return int(_read(path))
    except FileNotFoundError:
        return 0


def _field(path: str, name: str) -> int:
    try:
        rows = [line.split() for line in _read(path).splitlines()]
    except FileNotFoundError:
        return 0
    return next((int(row[1]) for row in rows if row[0] == name), 0)
