"""Hostile programs that ask the kernel for what it must not give."""

from __future__ import annotations

import _signal
import _socket
import ctypes
import mmap
import os
import struct

from hostile_tools import (
    IS_X86,
    Bait,
    call,
    child_of,
    enter,
    escaped,
    libc,
    mount,
    must_fail,
)


def ptrace(bait: Bait) -> None:
    for pid in (1, os.getppid(), int(bait["victim"])):
        must_fail(f"ptrace {pid}", lambda pid=pid: libc("ptrace", 16, pid, 0, 0))


def mounts(bait: Bait) -> None:
    must_fail("tmpfs", lambda: mount("tmpfs", "/tmp"))
    must_fail("remount", lambda: libc("mount", b"", b"/usr", b"", 32 | 4096, b""))
    must_fail("bind", lambda: libc("mount", b"/usr", b"/tmp", b"", 4096, b""))
    must_fail("umount", lambda: libc("umount2", b"/usr", 2))
    must_fail("open_tree", lambda: call(428, -100, b"/", 1))
    must_fail("fsopen", lambda: call(430, b"tmpfs", 0))
    must_fail("mount_setattr", lambda: call(442, -100, b"/", 0, bytes(32), 32))


def netlink(bait: Bait) -> None:
    must_fail("netlink", lambda: _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0))
    must_fail("vsock", lambda: _socket.socket(40, _socket.SOCK_STREAM))


def raw_sockets(bait: Bait) -> None:
    must_fail("raw", lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_RAW, 1))
    must_fail("packet", lambda: _socket.socket(_socket.AF_PACKET, _socket.SOCK_RAW, 3))
    must_fail("alg", lambda: _socket.socket(38, _socket.SOCK_SEQPACKET, 0))


def keys(bait: Bait) -> None:
    numbers = (248, 249, 250) if IS_X86 else (217, 218, 219)
    must_fail("add_key", lambda: call(numbers[0], b"user", b"x", b"y", 1, -3))
    must_fail("request_key", lambda: call(numbers[1], b"user", b"x", 0, -3))
    must_fail("keyctl", lambda: call(numbers[2], 0, -3, 1))


def nested_namespaces(bait: Bait) -> None:
    for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x2000000, 0x80):
        must_fail(f"unshare {flag:#x}", lambda flag=flag: libc("unshare", flag))
    clone = 56 if IS_X86 else 220
    must_fail("clone", lambda: child_of(call(clone, 0x10000000 | 17, 0, 0, 0, 0)))
    wanted = struct.pack("<QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0)
    must_fail("clone3", lambda: child_of(call(435, wanted, len(wanted))))
    for name in ("user", "mnt", "pid", "net"):
        must_fail(f"setns {name}", lambda name=name: enter(f"/proc/1/ns/{name}"))


def kernel_modules(bait: Bait) -> None:
    numbers = (175, 313, 246, 320) if IS_X86 else (105, 273, 104, 294)
    for number in numbers:
        must_fail(f"call {number}", lambda number=number: call(number, b"\x7fELF", 4, b"", 0, 0))


def odd_calls(bait: Bait) -> None:
    numbers = (321, 298, 323, 304, 303, 103) if IS_X86 else (280, 241, 282, 265, 264, 116)
    for number in (*numbers, 425, 426, 427, 438, 447, 467, 468, 500):
        must_fail(f"call {number}", lambda number=number: call(number, 0, bytes(128), 128, 0, 0))


def the_machine(bait: Bait) -> None:
    numbers = (169, 170, 171, 227, 163, 167) if IS_X86 else (142, 161, 162, 112, 89, 224)
    must_fail("reboot", lambda: call(numbers[0], 0xFEE1DEAD, 672274793, 0))
    for number in numbers[1:]:
        must_fail(f"call {number}", lambda number=number: call(number, b"x", 1, 0))


def shared_memory(bait: Bait) -> None:
    """A segment of System V stays until somebody removes it, unless its namespace dies."""
    for key in range(1, 5):
        call(29 if IS_X86 else 194, key, 4096, 0o1666)


def other_architecture(bait: Bait) -> None:
    """The 32-bit door of the same kernel has other numbers for the same calls."""
    print("tried", flush=True)
    if not IS_X86:
        os.kill(os.getpid(), _signal.SIGSYS)
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    escaped("32-bit calls")


def terminal(bait: Bait) -> None:
    for request in (0x5412, 0x541C):
        must_fail("ioctl", lambda request=request: libc("ioctl", 0, request, b"x"))
    must_fail("tty", lambda: os.open("/dev/tty", os.O_RDWR))


def become_root(bait: Bait) -> None:
    for one in (os.setuid, os.setgid):
        must_fail(one.__name__, lambda one=one: one(0))
    must_fail("setgroups", lambda: os.setgroups([0]))
    # chown to one's own is allowed anywhere; a set-user-id copy of one's own gives nothing
    for program in ("/bin/su", "/usr/bin/sudo", "/usr/bin/passwd"):
        if os.path.exists(program) and os.stat(program).st_mode & 0o4000:
            pid = os.fork()
            if not pid:
                os.execv(program, [program, "--help"])
            os.waitpid(pid, 0)
    if 0 in os.getresuid():
        escaped("root")
