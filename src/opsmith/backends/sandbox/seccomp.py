"""seccomp: the system calls that a confined program may not make.

A list of what is refused, not of what is allowed: namespaces, capabilities and Landlock confine,
and this closes the kernel's less travelled roads. Calls newer than the list are unknown to it and
are refused, too. Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/
unistd.h of Linux 6.12; the filter's form: Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping

from opsmith.backends.sandbox import kernel

# name: (x86_64, aarch64), -1 where there is none.
REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "memfd_secret": (447, 447),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "mbind": (237, 235),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, -1),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "uselib": (134, -1),
    "ustat": (136, -1),
    "sysfs": (139, -1),
}
# Refused, too, where nothing is to be started.
STARTS = {"execve": (59, 221), "execveat": (322, 281)}
# The last call that was looked at for this list (mseal, Linux 6.10).
NEWEST = 462
_CLONE = (56, 220)
_CLONE3 = 435
_IOCTL = (16, 29)
# TIOCSTI puts a character into the terminal's input; TIOCLINUX does so on the console.
_TERMINAL = (0x5412, 0x541C)
_NEW_SPACES = (
    kernel.NEW_MOUNTS
    | kernel.NEW_CGROUP
    | kernel.NEW_UTS
    | kernel.NEW_IPC
    | kernel.NEW_USER
    | kernel.NEW_PID
    | kernel.NEW_NET
    | 0x80  # CLONE_NEWTIME
)
# include/uapi/linux/audit.h
_ARCHITECTURE = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# Calls of the x32 interface, which nobody has, carry this bit.
_X32 = 0x40000000

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_KILL, _ALLOW, _ERROR = 0x80000000, 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _ARGUMENT_0, _ARGUMENT_1 = 0, 4, 16, 24
_SET_SECCOMP, _FILTER = 22, 2


def is_known(machine: str) -> bool:
    """Whether there is a list for this kind of machine."""
    return machine in _ARCHITECTURE


def program(machine: str, *, also: Mapping[str, tuple[int, int]] | None = None) -> bytes:
    """The filter in the kernel's classic BPF, 8 bytes an instruction. also: refused besides."""
    column, architecture = _ARCHITECTURE[machine]
    lines = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER, 0, 1, NEWEST),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        # The C library then falls back to clone, whose flags can be seen.
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    ]
    for numbers in (REFUSED | dict(also or {})).values():
        if numbers[column] >= 0:
            lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    lines += [
        (_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_ANY_BIT, 0, 1, _NEW_SPACES),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 4, _IOCTL[column]),
        (_LOAD, 0, 0, _ARGUMENT_1),
        (_EQUAL, 1, 0, _TERMINAL[0]),
        (_EQUAL, 0, 1, _TERMINAL[1]),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)


def refuse_calls(*, also: Mapping[str, tuple[int, int]] | None = None) -> None:
    """Put the filter on this process and all that it starts. Raises `OSError`."""
    content = program(kernel.MACHINE, also=also)
    code = ctypes.create_string_buffer(content, len(content))
    head = ctypes.create_string_buffer(
        struct.pack("@HP", len(content) // 8, ctypes.addressof(code))
    )
    kernel.prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(head))
