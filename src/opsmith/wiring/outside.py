"""Actions of installed packages: found by entry point, asked what they are, run in the sandbox.

Nothing of a package is imported in here; where its files are is known without that.
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.execute.actions import BUILT_IN
from opsmith.execute.outside import Described, Given, OutsideAction, Package, describe
from opsmith.execute.registry import Registry
from opsmith.nouns.entity import Entity
from opsmith.seams.sandbox import Mount, Sandbox

ACTIONS_GROUP = "opsmith.actions"
_START = (
    "import sys; sys.path[:0] = sys.argv[1:]; from opsmith.execute.confined import serve; serve()"
)
_OWN = Path(__file__).resolve().parents[1]
# What the sandbox shows of every host.
_SHOWN = ("/usr", "/bin", "/lib", "/lib64")


def registry(
    sandbox: Sandbox | None = None,
    given: Mapping[str, Mapping[Entity, Given]] | None = None,
) -> Registry:
    """The built-in actions and those of packages; one that is not whole is refused by itself.

    sandbox: carries the latter out, None when they are only listed. given: by action, by target.
    """
    known = {action.spec.name for action in BUILT_IN}
    added: list[OutsideAction] = []
    refused: dict[str, str] = {}
    for package, described in _packages():
        name = described.spec.name if described.spec else package.name
        faults = list(described.faults)
        if name in known:
            faults.append(f"there is an action {name} already")
        if faults:
            refused[name if name not in known else package.name] = (
                f"The action {package.name} ({package.entry}) is refused: {'; '.join(faults)}."
            )
            continue
        known.add(name)
        targets = (given or {}).get(name, {})
        added.append(OutsideAction(package, described, sandbox=sandbox, given=targets))
    return Registry([*BUILT_IN, *added], refused=refused)


def _packages() -> tuple[tuple[Package, Described], ...]:
    """What is installed, each asked once in the life of this process."""
    return tuple((_package(one), _described(one)) for one in entry_points(group=ACTIONS_GROUP))


@cache
def _described(entry: EntryPoint) -> Described:
    """Asked in a thread with a loop of its own: this is called with and without one."""
    asked = describe(_package(entry), KernelSandbox())
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, asked).result()


def _package(entry: EntryPoint) -> Package:
    """How it is started: the interpreter itself, which reads the packages and no site's hooks."""
    python = os.path.realpath(sys.executable)
    paths = _paths(entry)
    seen = {Path(python).parent.parent, *paths.values()}
    return Package(
        name=entry.name,
        entry=entry.value,
        argv=(python, "-I", "-S", "-c", _START, *map(str, dict.fromkeys(paths))),
        mounts=tuple(Mount(path=one) for one in _outermost(seen)),
    )


def _paths(entry: EntryPoint) -> dict[Path, Path]:
    """What goes on the path of imports, and what of it is shown: a package, or all of a site."""
    found = {_OWN.parent: _OWN}
    for site in ("purelib", "platlib"):
        folder = Path(sysconfig.get_path(site)).resolve()
        found[folder] = folder
    spec = find_spec(entry.module.partition(".")[0])
    if spec is None:
        return found
    inside = next(iter(spec.submodule_search_locations or [spec.origin or ""]))
    package = Path(inside).resolve()
    root = Path(str(entry.dist.locate_file(""))).resolve() if entry.dist else package
    found.setdefault(package.parent, package.parent if package.parent == root else package)
    return found


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Those that lie in no other and are not shown anyway."""
    whole = sorted({path.resolve() for path in paths if path.exists()})
    shown = [Path(one) for one in _SHOWN]
    kept: list[Path] = []
    for path in whole:
        if not any(path.is_relative_to(one) for one in (*shown, *kept)):
            kept.append(path)
    return kept
