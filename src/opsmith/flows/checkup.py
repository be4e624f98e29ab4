"""checkup: looks at this machine and at the configured servers; changes nothing."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from opsmith.errors import OpsmithError
from opsmith.nouns.checkup import Checkup, Finding, State
from opsmith.nouns.redaction import redact, redact_pairs

# A server that needs longer than this would not help in an incident either.
PATIENCE_S = 3.0
OLDEST_PYTHON = (3, 11)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*["']([A-Za-z0-9._-]+)["']""")
_TOOLS = {
    "prometheus": ("prometheus", "scrapes the lab; apt-get install prometheus"),
    "promtool": ("promtool", "runs the metric checks of a report; apt-get install prometheus"),
    "alertmanager": (
        "prometheus-alertmanager|alertmanager",
        "fires the lab's alerts; apt-get install prometheus-alertmanager",
    ),
    "chromium": ("chromium|chromium-browser|google-chrome", "shows reports in tests"),
}
_NAMESPACES = ("user", "pid", "mnt", "net", "uts", "ipc", "cgroup")

Probe = Callable[[], Awaitable[None]]


async def check_up(
    *, settings: Mapping[str, str], data_dir: Path, probes: Mapping[str, Probe], root: Path
) -> Checkup:
    """Look at everything once. A probe is a server's name with a call that asks it something.

    settings: names and values in force. root: where `/proc` and `/sys` are, `/` but in tests.
    """
    servers = await asyncio.gather(*(_server(name, probe) for name, probe in probes.items()))
    return Checkup(
        findings=(
            _python(),
            *_packages(),
            *_tools(),
            *(
                Finding(area="setting", name=name, state=State.OK, detail=value)
                for name, value in redact_pairs(settings.items())
            ),
            _data(data_dir),
            *servers,
            *_kernel(root),
        )
    )


def _python() -> Finding:
    enough = sys.version_info[:2] >= OLDEST_PYTHON
    return Finding(
        area="python",
        name=platform.python_implementation(),
        state=State.OK if enough else State.MISSING,
        detail=f"{platform.python_version()} on {platform.platform()}",
        hint="" if enough else "opsmith needs Python 3.11 or newer.",
    )


def _packages() -> Iterator[Finding]:
    """Each dependency, and each extra as one: it is there when all that it asks for is there."""
    extras: dict[str, list[str]] = {}
    for line in requires("opsmith") or ():
        package, marked = _NAME.match(line), _EXTRA.search(line)
        if package and marked:
            extras.setdefault(marked[1], []).append(package[0])
        elif package:
            yield _package(package[0])
    for extra, wanted in sorted(extras.items()):
        lacking = [name for name in wanted if _version(name) is None]
        yield Finding(
            area="extra",
            name=extra,
            state=State.ABSENT if lacking else State.OK,
            detail=f"needs {', '.join(lacking)}" if lacking else ", ".join(wanted),
            hint=f"pip install 'opsmith[{extra}]'" if lacking else "",
        )


def _package(name: str) -> Finding:
    found = _version(name)
    return Finding(
        area="package",
        name=name,
        state=State.OK if found else State.MISSING,
        detail=found or "not installed",
        hint="" if found else f"pip install {name}",
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _tools() -> Iterator[Finding]:
    for name, (commands, use) in _TOOLS.items():
        found = next(filter(None, map(shutil.which, commands.split("|"))), None)
        yield Finding(
            area="tool",
            name=name,
            state=State.OK if found else State.ABSENT,
            detail=found or "not found",
            hint="" if found else f"optional: {use}",
        )


def _data(folder: Path) -> Finding:
    """Whether the data folder can be written, or made; nothing is made to find out."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    usable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    made = "" if nearest == folder else ", made when first needed"
    return Finding(
        area="data",
        name="data_dir",
        state=State.OK if usable else State.MISSING,
        detail=f"{folder}{made}" if usable else f"{nearest} cannot be written to",
        hint="" if usable else "Set OPSMITH_DATA_DIR to a folder that you may write to.",
    )


async def _server(name: str, probe: Probe) -> Finding:
    try:
        await asyncio.wait_for(probe(), PATIENCE_S)
    except (OpsmithError, TimeoutError) as error:
        said = str(error) or f"no answer within {PATIENCE_S:g} s"
        return Finding(
            area="server",
            name=name,
            state=State.UNREACHABLE,
            detail=redact(said),
            hint="Check its address (OPSMITH_PROMETHEUS_URL, OPSMITH_SOURCES_FILE,"
            " OPSMITH_LLM_URL, OPSMITH_LEDGER_URL), and that it runs.",
        )
    return Finding(area="server", name=name, state=State.OK, detail="answers")


def _kernel(root: Path) -> Iterator[Finding]:
    """What the sandbox can lean on: cgroups, namespaces and seccomp, as the kernel shows them."""
    groups = root / "sys/fs/cgroup"
    controllers = _read(groups / "cgroup.controllers").split()
    yield _feature("cgroup v2", controllers if {"memory", "pids"} <= set(controllers) else [])
    legacy = [name for name in ("memory", "pids", "cpu") if (groups / name).is_dir()]
    yield _feature("cgroup v1", legacy)
    namespaces = [name for name in _NAMESPACES if (root / "proc/self/ns" / name).exists()]
    yield _feature("namespaces", namespaces)
    most = _read(root / "proc/sys/user/max_user_namespaces").strip()
    yield _feature("user namespaces", [f"up to {most}"] if most not in {"", "0"} else [])
    seccomp = "Seccomp:" in _read(root / "proc/self/status")
    yield _feature("seccomp", ["supported"] if seccomp else [])


def _feature(name: str, seen: list[str]) -> Finding:
    return Finding(
        area="kernel",
        name=name,
        state=State.OK if seen else State.ABSENT,
        detail=", ".join(seen) or "not seen",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
