"""Hostile programs that reach for what lies outside."""

from __future__ import annotations

import _signal
import _socket
import ctypes
import os
import struct
import sys

from hostile_tools import IS_X86, Bait, call, connect, escaped, mount, must_fail, read, write


def write_proc(bait: Bait) -> None:
    for path in (
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
        "/proc/1/oom_score_adj",
        "/proc/self/uid_map",
        "/proc/self/setgroups",
        "/proc/1/mem",
    ):
        must_fail(path, lambda path=path: write(path, b"1"))


def write_cgroup(bait: Bait) -> None:
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified", "/cgroup"):
        for name in ("cgroup.procs", "memory.limit_in_bytes", "memory.max", "pids.max"):
            must_fail(name, lambda path=f"{folder}/{name}": write(path, b"0"))
    for kind in ("cgroup", "cgroup2"):
        must_fail(f"mount {kind}", lambda kind=kind: mount(kind, "/tmp"))


def look_into_others(bait: Bait) -> None:
    for pid in (1, int(bait["victim"])):
        for name in ("mem", "environ", "maps", "fd/1", "root/etc/shadow", "cwd/x"):
            must_fail(f"{pid}/{name}", lambda path=f"/proc/{pid}/{name}": read(path))
    here = ctypes.create_string_buffer(8)
    vector = struct.pack("@PN", ctypes.addressof(here), 8)
    numbers = (310, 311) if IS_X86 else (270, 271)
    for number in numbers:
        must_fail("memory of another", lambda n=number: call(n, 1, vector, 1, vector, 1, 0))


def tcp(bait: Bait) -> None:
    must_fail("tcp", lambda: connect(_socket.AF_INET, ("127.0.0.1", int(bait["tcp"]))))
    must_fail("tcp listen", lambda: _socket.socket().bind(("0.0.0.0", 0)))


def udp(bait: Bait) -> None:
    def send() -> None:
        opened = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        opened.sendto(b"out", ("127.0.0.1", int(bait["udp"])))

    must_fail("udp", send)


def unix_sockets(bait: Bait) -> None:
    for address in (bait["unix"], "\0" + bait["abstract"], "/run/docker.sock", "/dev/log"):
        must_fail("unix socket", lambda address=address: connect(_socket.AF_UNIX, address))


def symlinks(bait: Bait) -> None:
    for number, to in enumerate((bait["file"], f"/proc/1/root{bait['file']}")):
        link = f"{bait['folder']}/link{number}"
        os.symlink(to, link)
        must_fail("write through a link", lambda link=link: write(link, b"owned"))
    must_fail("read", lambda: read(bait["file"]))


def dot_dot(bait: Bait) -> None:
    for start in ("/script", "/tmp", "/usr/lib", "/proc/self/cwd"):
        for path in (bait["file"], "/etc/shadow", "/root/.ssh/id_ed25519"):
            must_fail(path, lambda path=f"{start}{'/..' * 12}{path}": read(path))
            must_fail(path, lambda path=f"{start}{'/..' * 12}{path}": write(path, b"owned"))


def signals(bait: Bait) -> None:
    must_fail("a signal", lambda: os.kill(int(bait["victim"]), _signal.SIGKILL))
    for pid in (os.getppid(), 1):
        for number in (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGTERM):
            os.kill(pid, number)  # the first process of a namespace does not hear it from inside
    if not os.fork():
        os.setsid()
        os.kill(-1, _signal.SIGCONT)
        os._exit(0)


def change_root(bait: Bait) -> None:
    must_fail("chroot", lambda: os.chroot("/tmp"))
    must_fail("pivot_root", lambda: call(155 if IS_X86 else 41, b"/tmp", b"/tmp"))
    here = os.open("/", os.O_RDONLY)
    os.fchdir(here)
    for _ in range(64):
        os.chdir("..")
    if os.path.exists("." + bait["file"]):
        escaped("the root of the host")


def inherited_handles(bait: Bait) -> None:
    for handle in range(3, 4096):
        try:
            os.fstat(handle)
        except OSError:
            continue
        escaped(f"handle {handle} of opsmith")


def secrets(bait: Bait) -> None:
    for path in (
        "/etc/shadow",
        "/etc/ssh/ssh_host_ed25519_key",
        "/root",
        "/home",
        "/var",
        "/run",
        "/sys",
        "/proc/kcore",
        "/proc/kallsyms",
        "/proc/cmdline",
        "/proc/keys",
        f"/proc/{bait['victim']}",
    ):
        must_fail(path, lambda path=path: os.stat(path))
    if set(os.environ) - {"LC_CTYPE"}:  # Python itself sets that one
        escaped(f"environment {sorted(os.environ)}")


def devices(bait: Bait) -> None:
    for major, minor in ((1, 1), (8, 0), (254, 0), (10, 229)):
        device = os.makedev(major, minor)
        must_fail("mknod", lambda device=device: os.mknod("/tmp/device", 0o60666, device))
    for name in ("mem", "kmsg", "vda", "sda", "fuse", "kvm", "net/tun", "tty", "console", "ptmx"):
        must_fail(name, lambda name=name: read(f"/dev/{name}"))


def change_programs(bait: Bait) -> None:
    for path in ("/usr/bin/owned", "/script/owned", "/owned", "/etc/owned", "/proc/owned"):
        must_fail(path, lambda path=path: write(path, b"x", os.O_CREAT))
    must_fail("script", lambda: write(__file__, b"x"))
    must_fail("unlink", lambda: os.unlink(__file__))
    must_fail("chmod", lambda: os.chmod(sys.executable, 0o777))


def own_mount(bait: Bait) -> None:
    """What it may write is that folder alone, and links in it lead to nothing of the host."""
    folder = bait["folder"]
    write(f"{folder}/allowed", b"fine", os.O_CREAT)
    for path in (f"{folder}/../owned", f"{folder}/way-out"):
        try:
            write(path, b"owned", os.O_CREAT)  # in the private /tmp this may work
        except OSError:
            continue
    must_fail("hard link", lambda: os.link("/usr/bin/env", f"{folder}/env"))
    must_fail("device", lambda: os.mknod(f"{folder}/disk", 0o60666, os.makedev(254, 0)))
