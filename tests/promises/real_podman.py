"""A real Podman service with storage of its own, and one container of busybox in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.types import Ulimit
from opsmith_lab.components import find

from promises.real_prometheus import PATIENCE_S

IMAGE = "localhost/busybox:1"
# The limits of a process here may be below those that Podman asks for by itself.
LIMITS = [
    Ulimit(name="nofile", soft=1024, hard=1024),
    Ulimit(name="nproc", soft=1024, hard=1024),
]
STORAGE = """[storage]
driver = "vfs"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
CONTAINERS = """[containers]
log_driver = "k8s-file"
[engine]
runtime = "runc"
conmon_path = ["{conmon}"]
events_logger = "file"
cgroup_manager = "cgroupfs"
tmp_dir = "{folder}/state"
static_dir = "{folder}/static"
volume_path = "{folder}/volumes"
[engine.runtimes]
runc = ["{runc}"]
[network]
network_config_dir = "{folder}/net"
"""


@contextmanager
def podman(folder: Path) -> Iterator[str]:
    """The address of an engine that runs `web`, which says hello and sleeps."""
    environment = _environment(folder)
    _image(folder, environment)
    address = f"unix://{folder}/p.sock"
    words = [str(find("podman")), "system", "service", "-t", "0", address]
    with (folder / "podman.log").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
    try:
        client = _client(address, folder)
        try:
            client.containers.run(
                IMAGE,
                ["sh", "-c", "echo hello; trap 'exit 0' TERM; while :; do sleep 0.1; done"],
                detach=True,
                name="web",
                network_mode="host",
                mem_limit="64m",
                cpu_period=100_000,
                cpu_quota=100_000,
                ulimits=LIMITS,
            )
            yield address
        finally:
            for one in client.containers.list(all=True):
                one.remove(force=True)
            client.close()
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)
        _remove_cgroups()
        _unmount(folder)


def _environment(folder: Path) -> dict[str, str]:
    storage, engine = folder / "storage.conf", folder / "containers.conf"
    storage.write_text(STORAGE.format(folder=folder))
    engine.write_text(CONTAINERS.format(folder=folder, conmon=find("conmon"), runc=find("runc")))
    policy = folder / ".config" / "containers" / "policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CONTAINERS_CONF": str(engine),
        "CONTAINERS_STORAGE_CONF": str(storage),
    }


def _image(folder: Path, environment: dict[str, str]) -> None:
    programs = folder / "rootfs" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(find("busybox"), programs / "busybox")
    for name in ("sh", "sleep"):
        (programs / name).symlink_to("busybox")
    archive = folder / "rootfs.tar"
    subprocess.run(["tar", "-C", str(folder / "rootfs"), "-cf", str(archive), "."], check=True)
    words = [str(find("podman")), "import", "-q", str(archive), IMAGE]
    subprocess.run(words, check=True, capture_output=True, env=environment)


def _client(address: str, folder: Path) -> docker.DockerClient:
    end = time.monotonic() + PATIENCE_S
    while not (folder / "p.sock").exists():
        assert time.monotonic() < end, (folder / "podman.log").read_text()
        time.sleep(0.02)
    return docker.DockerClient(base_url=address, timeout=PATIENCE_S)


def _unmount(folder: Path) -> None:
    """Let go of what Podman mounted for its containers, the innermost first."""
    told = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    below = [line.split()[1] for line in told if line.split()[1].startswith(f"{folder}/")]
    for place in sorted(below, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _remove_cgroups() -> None:
    """Podman leaves its parent group behind."""
    for parent in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
        for one in (*parent.glob("libpod-*"), parent):
            with suppress(OSError):
                one.rmdir()
