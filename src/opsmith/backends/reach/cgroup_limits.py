"""What the kernel holds a process to: an engine may tell the limit a container was made with.

Sources: Linux, admin-guide/cgroup-v2 (`cpu.max`, `memory.max`) and cgroup-v1 (`cpu.cfs_quota_us`,
`memory.limit_in_bytes`, where no limit is a number of pages that no machine has).
"""

from __future__ import annotations

from pathlib import Path

PROCESSES = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
# 2^63 rounded down to a page is version 1's word for no limit; nothing near it is one.
NO_LIMIT = 1 << 60


def held_to(
    pid: int, *, processes: Path = PROCESSES, groups: Path = GROUPS
) -> tuple[float, int] | None:
    """(cores, bytes of memory) of the group of a process, 0 for no limit.

    None when the kernel does not tell: another machine, or other rights.
    """
    try:
        lines = (processes / str(pid) / "cgroup").read_text(encoding="ascii").splitlines()
        places = dict(_places(lines, groups))
        return _cores(places["cpu"]), _memory(places["memory"])
    except (OSError, KeyError, ValueError):
        return None


def _places(lines: list[str], groups: Path) -> list[tuple[str, Path]]:
    """The folder of each controller; version 2 has one for all, named by a line `0::/PATH`."""
    found: list[tuple[str, Path]] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        below = path.lstrip("/")
        if not controllers and (groups / below / "memory.max").is_file():
            found += [("cpu", groups / below), ("memory", groups / below)]
        found += [(one, groups / one / below) for one in controllers.split(",") if one]
    return found


def _cores(folder: Path) -> float:
    new = folder / "cpu.max"
    if new.is_file():
        quota, period = new.read_text(encoding="ascii").split()
    else:
        quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
        period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
    return 0.0 if quota in {"max", "-1"} else int(quota) / int(period)


def _memory(folder: Path) -> int:
    new = folder / "memory.max"
    old = folder / "memory.limit_in_bytes"
    text = (new if new.is_file() else old).read_text(encoding="ascii").strip()
    size = 0 if text == "max" else int(text)
    return 0 if size >= NO_LIMIT else size
