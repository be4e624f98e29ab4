"""Hostile programs that take more than their share, or stay."""

from __future__ import annotations

import _signal
import _thread
import os
import resource
import time

from hostile_tools import Bait, escaped, must_fail, write


def fork_bomb(bait: Bait) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
    if os.getpid() == 2:
        print("tried")


def thread_bomb(bait: Bait) -> None:
    closed = _thread.allocate_lock()
    closed.acquire()
    for _ in range(2000):
        try:
            _thread.start_new_thread(closed.acquire, ())
        except RuntimeError:
            return
    escaped("2,000 threads")


def memory_bomb(bait: Bait) -> None:
    print("tried", flush=True)
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1) * (8 << 20)))


def tmp_memory_bomb(bait: Bait) -> None:
    """The private /tmp is memory, too."""
    print("tried", flush=True)
    kept = [bytearray(os.urandom(1) * (96 << 20))]
    with open("/tmp/big", "wb") as opened:
        for _ in range(60):
            opened.write(kept[0][: 1 << 20])
            opened.flush()
    kept.append(bytearray(os.urandom(1) * (64 << 20)))


def daemon(bait: Bait) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for handle in range(3):
        os.close(handle)
    time.sleep(600)


def loud_daemon(bait: Bait) -> None:
    """Keeps the output open, so that whoever waits for its end would wait for ever."""
    if not os.fork():
        os.setsid()
        time.sleep(600)


def disk_fill(bait: Bait) -> None:
    block = bytes(1 << 20)
    with open("/tmp/fill", "wb", buffering=0) as opened:
        try:
            opened.writelines(block for _ in range(4096))
        except OSError as error:
            print(error.strerror)
            return
    escaped("4 GiB in /tmp")


def inode_fill(bait: Bait) -> None:
    for number in range(200_000):
        try:
            os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
        except OSError:
            return
    escaped("200,000 files")


def output_flood(bait: Bait) -> None:
    print("tried", flush=True)
    block = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, block)
    escaped("1 GiB of output")


def stubborn(bait: Bait) -> None:
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT):
        _signal.signal(number, _signal.SIG_IGN)
    print("tried", flush=True)
    while True:
        time.sleep(1)


def busy(bait: Bait) -> None:
    print("tried", flush=True)
    while True:
        pass


def stopped(bait: Bait) -> None:
    print("tried", flush=True)
    os.kill(os.getpid(), _signal.SIGSTOP)


def deaf_to_the_end(bait: Bait) -> None:
    """Closes its outputs and stays."""
    print("tried", flush=True)
    for handle in range(3):
        os.close(handle)
    time.sleep(600)


def handle_exhaustion(bait: Bait) -> None:
    held = []
    try:
        held += [os.open("/dev/null", os.O_RDONLY) for _ in range(100_000)]
    except OSError:
        return
    escaped(f"{len(held)} handles")


def core_dump(bait: Bait) -> None:
    print("tried", flush=True)
    os.abort()


def raise_limits(bait: Bait) -> None:
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK):
        must_fail("rlimit", lambda kind=kind: resource.setrlimit(kind, (1 << 20, 1 << 20)))
    must_fail("victim", lambda: resource.prlimit(int(bait["victim"]), resource.RLIMIT_CORE))
    must_fail("nice", lambda: os.nice(-10))
    policy = os.sched_param(10)
    must_fail("fifo", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, policy))


def file_size(bait: Bait) -> None:
    """One file as long as the whole disk."""
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
    must_fail("length", lambda: os.truncate(write("/tmp/long", b"x", os.O_CREAT), 1 << 40))
