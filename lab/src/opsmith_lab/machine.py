"""A small virtual machine: Debian's kernel in an unpacked QEMU, one command, and what it said.

For what this machine's own kernel cannot show, such as cgroup v2 with all its controllers. It is
emulated (TCG), needs no root, no network and no disk, and is gone when its command ends.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from opsmith_lab.components import Apt, ComponentMissing, tools_dir

# Parts of the standard library that no guest needs, most of its size.
_LEFT_OUT = {"test", "idlelib", "tkinter", "ensurepip", "site-packages", "lib2to3", "turtledemo"}
_MEMORY_MIB = 768
_PACKAGES = ("qemu-system-x86", "busybox-static", "linux-image-cloud-amd64")
_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /stage
/bin/busybox mount -t tmpfs -o size=600m tmpfs /stage
/bin/busybox mv /usr /lib /lib64 /guest /stage/
/bin/busybox cp -a /bin /stage/
cd /stage
/bin/busybox mkdir -p dev proc sys tmp run var home etc
exec /bin/busybox switch_root /stage /guest/init
"""
_SECOND_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
echo 1 > /proc/sys/kernel/printk
cd /guest
{command}
echo "ended with $?"
poweroff -f
"""
_ENDED = re.compile(r"ended with (\d+)")


def fetch() -> None:
    """Download and unpack what a machine needs, once. Raises `ComponentMissing`."""
    if os.uname().machine != "x86_64":
        raise ComponentMissing("The small virtual machine is made for x86-64 only.")
    if _kernels():
        return
    apt = Apt(root=_place())
    apt.update()
    apt.download_all(*_PACKAGES)
    apt.unpack_all()


def run(files: Mapping[str, bytes], command: str, *, folder: Path, within_s: float) -> str:
    """Boot, put `files` below /guest, run `command` there as root; what was on the console.

    folder: where the boot image is made. Raises `RuntimeError` with the console when the command
    does not end well or in time.
    """
    fetch()
    image = folder / "initrd.cpio"
    with image.open("wb") as opened:
        for part in _archive(_contents(files, command)):
            opened.write(part)
    root = _place() / "root"
    words = [
        str(root / "usr/bin/qemu-system-x86_64"),
        *("-L", str(root / "usr/share/qemu"), "-L", str(root / "usr/share/seabios")),
        *("-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(_MEMORY_MIB), "-smp", "2"),
        *("-kernel", str(_kernels()[-1]), "-initrd", str(image), "-nographic", "-no-reboot"),
        *("-nic", "none", "-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
    ]
    libraries = ":".join(map(str, root.glob("**/lib/*-linux-gnu")))
    try:
        done = subprocess.run(
            words,
            env={**os.environ, "LD_LIBRARY_PATH": libraries},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"not over in {within_s:g} s: {_text(error.stdout or b'')}") from error
    console = _text(done.stdout)
    ended = _ENDED.search(console)
    if ended is None or ended[1] != "0":
        raise RuntimeError(f"{console}\n{_text(done.stderr)}")
    return console


def _place() -> Path:
    return tools_dir() / "machine"


def _kernels() -> list[Path]:
    return sorted((_place() / "root" / "boot").glob("vmlinuz-*"))


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").replace("\r", "")


def _contents(files: Mapping[str, bytes], command: str) -> Mapping[str, bytes | str | Path]:
    """The guest's files: bytes as they are, a text is where a link leads, a path is copied."""
    found: dict[str, bytes | str | Path] = {
        "init": _INIT.encode(),
        "guest/init": _SECOND_INIT.format(command=command).encode(),
        "bin/busybox": _place() / "root/bin/busybox",
        "bin/sh": "busybox",
        "bin/true": "busybox",
        "bin/sleep": "busybox",
        "lib": "usr/lib",
        "lib64": "usr/lib64",
    }
    found |= {f"guest/{name}": content for name, content in files.items()}
    return found | dict(_python())


def _python() -> Iterator[tuple[str, Path | str]]:
    """The running interpreter, its standard library, and the shared libraries of both."""
    program = Path(sys.executable).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield f"usr/bin/{version}", program
    yield "usr/bin/python3", version
    library = Path(sysconfig.get_path("stdlib"))
    native = [program]
    for folder, below, names in os.walk(library):
        below[:] = [one for one in below if one not in _LEFT_OUT and not one.startswith("config-")]
        for name in names:
            if ".opt-" in name or name.endswith((".a", ".h")):
                continue
            file = Path(folder) / name
            yield f"usr/lib/{version}/{file.relative_to(library)}", file
            native += [file] if name.endswith(".so") else []
    for needed in _needed(native):
        where = "usr/lib64" if needed.name.startswith("ld-linux-x86") else "usr/lib"
        yield f"{where}/{needed.name}", needed


def _needed(programs: list[Path]) -> set[Path]:
    listed = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False
    ).stdout
    found = {Path(one) for one in re.findall(r"(/\S+) \(0x", listed)}
    # Opened by name when a thread ends, so that no program lists it.
    threads = {one.with_name("libgcc_s.so.1") for one in found if one.name.startswith("libc.so")}
    return found | {one for one in threads if one.exists()}


def _archive(contents: Mapping[str, bytes | str | Path]) -> Iterator[bytes]:
    """The files in the form that a kernel unpacks (cpio "newc"), all owned by root."""
    folders = {str(parent) for path in contents for parent in Path(path).parents} - {"."}
    number = 0
    for path in sorted(folders, key=len):
        number += 1
        yield _entry(number, path, stat.S_IFDIR | 0o755, b"")
    for path, content in contents.items():
        number += 1
        if isinstance(content, str):
            yield _entry(number, path, stat.S_IFLNK | 0o777, content.encode())
        else:
            data = content.read_bytes() if isinstance(content, Path) else content
            yield _entry(number, path, stat.S_IFREG | 0o755, data)
    yield _entry(0, "TRAILER!!!", 0, b"")


def _entry(number: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(data)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def main() -> int:
    """Fetch what a machine needs; the face of this module."""
    try:
        fetch()
        print(f"virtual machine: {_kernels()[-1]}")
    except ComponentMissing as error:
        print(f"machine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
