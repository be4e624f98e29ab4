"""governor: keeps each service inside its own quota of processor time and memory, without root.

Processor time works like the kernel's bandwidth control: in each period a process may compute for
its share and is stopped (SIGSTOP) until the next period once that is used up; what it took too
much is charged to the next. A process above its memory limit is killed, as the kernel would.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# The kernel's default period; the tick bounds by how much a quota can be overrun in one period.
PERIOD_S = 0.1
TICK_S = 0.01
MEMORY_EVERY_S = 0.25
# Unused time that may be saved up for a burst, in periods (the kernel's `cpu.max.burst`).
BURST_PERIODS = 2.0

# Linux encodes "all threads of process p, by the scheduler's count" as a clock id.
# Source: include/linux/posix-timers_types.h, CPUCLOCK_SCHED and make_process_cpuclock.
CPUCLOCK_SCHED = 2


@dataclass(slots=True, kw_only=True)
class Account:
    """One process: its quota and what it used.

    credit_s: processor time it may still use; negative when it took too much.
    """

    service: str
    pid: int
    cores: float
    limit_bytes: int
    credit_s: float
    seen_s: float
    stopped_since: float | None = None
    memory_bytes: int = 0


@dataclass(slots=True)
class Totals:
    """What is counted for a service across the lives of its processes."""

    cpu_s: float = 0.0
    periods: int = 0
    throttled_periods: int = 0
    throttled_s: float = 0.0
    killed: int = 0


@dataclass(slots=True)
class Governor:
    """Watches processes from a thread of its own; `put` and `drop` may be called from any."""

    accounts: dict[str, Account] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def put(self, service: str, pid: int, *, cores: float, limit_bytes: int) -> None:
        """Watch a process from now on."""
        account = Account(
            service=service,
            pid=pid,
            cores=cores,
            limit_bytes=limit_bytes,
            # A start is expensive; like a scheduler with a start-up boost, do not make it longer.
            credit_s=4.0,
            seen_s=0.0,
        )
        with self._lock:
            self.accounts[service] = account
            self.totals.setdefault(service, Totals())

    def allow(self, service: str, *, cores: float, limit_bytes: int) -> None:
        """Change the quota of a process that is watched."""
        with self._lock:
            account = self.accounts.get(service)
            if account is not None:
                account.cores, account.limit_bytes = cores, limit_bytes

    def drop(self, service: str) -> None:
        """Watch it no longer, and let it run, so that it can end by itself."""
        with self._lock:
            account = self.accounts.pop(service, None)
        if account is not None:
            _signal(account.pid, signal.SIGCONT)

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, daemon=True, name="governor").start()

    def stop(self) -> None:
        """Watch nothing any more."""
        self._stop.set()
        for service in list(self.accounts):
            self.drop(service)

    def _watch(self) -> None:
        period_ends = memory_due = time.monotonic()
        while not self._stop.wait(TICK_S):
            now = time.monotonic()
            fresh = now >= period_ends
            weigh = now >= memory_due
            period_ends = now + PERIOD_S if fresh else period_ends
            memory_due = now + MEMORY_EVERY_S if weigh else memory_due
            with self._lock:
                for account in list(self.accounts.values()):
                    self._look(account, now, fresh=fresh, weigh=weigh)

    def _look(self, account: Account, now: float, *, fresh: bool, weigh: bool) -> None:
        used_s = cpu_seconds(account.pid)
        if used_s is None:
            return
        totals = self.totals[account.service]
        spent_s = used_s - account.seen_s
        account.seen_s = used_s
        account.credit_s -= spent_s
        totals.cpu_s += spent_s
        if fresh:
            share_s = account.cores * PERIOD_S
            most_s = max(share_s * (1 + BURST_PERIODS), account.credit_s)
            account.credit_s = min(account.credit_s + share_s, most_s)
            totals.periods += 1
            totals.throttled_periods += account.stopped_since is not None
        self._hold_or_release(account, totals, now)
        if weigh:
            account.memory_bytes = resident_bytes(account.pid)
            if account.memory_bytes > account.limit_bytes:
                totals.killed += 1
                _signal(account.pid, signal.SIGKILL)

    def _hold_or_release(self, account: Account, totals: Totals, now: float) -> None:
        if account.credit_s <= 0 and account.stopped_since is None:
            account.stopped_since = now
            _signal(account.pid, signal.SIGSTOP)
        elif account.credit_s > 0 and account.stopped_since is not None:
            totals.throttled_s += now - account.stopped_since
            account.stopped_since = None
            _signal(account.pid, signal.SIGCONT)


def cpu_seconds(pid: int) -> float | None:
    """Processor time of all threads of a process so far; None when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """Memory in use; 0 when the process is gone."""
    with suppress(OSError):
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
