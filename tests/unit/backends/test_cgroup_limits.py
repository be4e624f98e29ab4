"""Limits are read from the kernel's own files, of both versions."""

from pathlib import Path

import pytest

from opsmith.backends.reach.cgroup_limits import held_to


def laid_out(folder: Path, cgroup: str, **files: str) -> Path:
    (folder / "proc" / "7").mkdir(parents=True)
    (folder / "proc" / "7" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        file = folder / "groups" / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


NEW = {"web__cpu_dot_max": "50000 100000\n", "web__memory_dot_max": "104857600\n"}
FREE = {"web__cpu_dot_max": "max 100000\n", "web__memory_dot_max": "max\n"}
OLD = {
    "cpu__web__cpu_dot_cfs_quota_us": "150000\n",
    "cpu__web__cpu_dot_cfs_period_us": "100000\n",
    "memory__web__memory_dot_limit_in_bytes": "9223372036854771712\n",
}
OLD_LINES = "4:cpu,cpuacct:/web\n3:memory:/web\n0::/elsewhere\n"


@pytest.mark.parametrize(
    ("lines", "files", "held"),
    [
        ("0::/web\n", NEW, (0.5, 104_857_600)),
        ("0::/web\n", FREE, (0.0, 0)),
        (OLD_LINES, OLD, (1.5, 0)),
        ("0::/gone\n", NEW, None),
        ("nonsense\n", NEW, None),
    ],
)
def test_the_limits_of_a_process(
    lines: str, files: dict[str, str], held: tuple[float, int] | None, tmp_path: Path
) -> None:
    place = laid_out(tmp_path, lines, **files)

    assert held_to(7, processes=place / "proc", groups=place / "groups") == held
    assert held_to(8, processes=place / "proc", groups=place / "groups") is None
