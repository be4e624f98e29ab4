"""Workers on two networks share one queue."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VETH = ("ip", "link", "add", "try", "type", "veth", "peer", "name", "other")
TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.needs_valkey
def test_two_workers_in_two_network_namespaces_share_the_load(tmp_path: Path) -> None:
    assert shutil.which("ip"), "the program `ip` is missing: install the package iproute2"
    apart = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        apart.append("--map-root-user")
    tried = subprocess.run([*apart, *VETH], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"this kernel makes no network namespaces: {tried.stderr.decode().strip()}")
    program = [sys.executable, "-m", "builders.namespaces", str(tmp_path)]

    told = subprocess.run([*apart, *program], cwd=TESTS, check=True, stdout=subprocess.PIPE)

    shares = json.loads(told.stdout).values()
    assert len(shares) == 2
    assert sum(shares) == 40
    assert min(shares) >= 8
