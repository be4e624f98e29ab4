"""The whole hostile suite on a kernel with cgroup v2, in a small virtual machine."""

from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest
from hostile.suite import SUITE
from opsmith_lab import machine

import opsmith
from opsmith.testing.sandbox import SANDBOX_CHECKS

# It takes half a minute on two idle processors.
WITHIN_S = 400.0
PARTS = ("*.py", "seams/__init__.py", "seams/sandbox.py", "backends/__init__.py")
PACKAGES = ("backends/sandbox", "testing", "nouns")


@pytest.mark.needs_vm
@pytest.mark.slow
def test_hostile_programs_are_held_on_cgroup_v2_as_root_and_as_an_ordinary_user(
    tmp_path: Path,
) -> None:
    files = {str(name): file.read_bytes() for name, file in needed()}

    command = "python3 guest.py root && python3 guest.py ordinary"
    said = machine.run(files, command, folder=tmp_path, within_s=WITHIN_S)

    kept = len(SUITE) + len(SANDBOX_CHECKS)
    assert f"{kept} of {kept} kept; groups left: []" in said
    assert "uid 65534, no capabilities" in said
    assert "uid 1000, no capabilities" in said
    assert said.count("held by cgroup v2 (memory, pids, cpu)") == 2


def needed() -> Iterator[tuple[Path, Path]]:
    """The sandbox and the suite, and nothing that needs more than the standard library."""
    source, suite = Path(opsmith.__file__).parent, Path(hostile.__file__).parent
    for pattern in (*PARTS, *(f"{one}/*.py" for one in PACKAGES)):
        for file in source.glob(pattern):
            yield "opsmith" / file.relative_to(source), file
    for file in suite.rglob("*.py"):
        yield "hostile" / file.relative_to(suite), file
    yield Path("guest.py"), suite / "guest.py"
