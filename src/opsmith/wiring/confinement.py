"""Programs of operators and of packages, joined to what confines them on this host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from opsmith.backends.reach.scripts import Pinned, Registered, ScriptsReach
from opsmith.backends.sandbox.archive import LogArchive
from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.errors import OpsmithError
from opsmith.execute.outside import Given
from opsmith.execute.quota import MeteredSandbox
from opsmith.nouns.checkup import Finding, State
from opsmith.nouns.entity import Entity
from opsmith.seams.ledger import Ledger
from opsmith.seams.sandbox import MEBIBYTE, Limits, Mount, Program, Quota, Sandbox
from opsmith.settings import Settings
from opsmith.wiring.script_shapes import PinnedShape, ScriptShape
from opsmith.wiring.targets import Told

_NOTHING = Program(name="doctor", argv=("/bin/true",))


async def sandbox_finding() -> Finding:
    """Run a program that does nothing, and say what held it or what is missing."""
    try:
        ran = await KernelSandbox().run(_NOTHING)
    except OpsmithError as error:
        return Finding(
            area="kernel",
            name="sandbox",
            state=State.ABSENT,
            detail=str(error),
            hint="See docs/how-to/sandbox.md.",
        )
    detail = f"works, in {ran.usage.wall_s * 1000:.0f} ms: {'; '.join(ran.held)}"
    return Finding(area="kernel", name="sandbox", state=State.OK, detail=detail)


def metered(settings: Settings, *, ledger: Ledger, clock: Callable[[], datetime]) -> Sandbox:
    """The sandbox of this host, metered on the ledger, its outputs kept in the data folder."""
    archive = LogArchive(settings.data_dir / "runs")
    return MeteredSandbox(KernelSandbox(), ledger, archive=archive.keep, clock=clock)


def scripts_reach(told: Told, *, sandbox: Sandbox) -> ScriptsReach:
    """The way of registered scripts."""
    scripts = {
        target: {name: _registered(script) for name, script in one.scripts.items()}
        for target, one in told.targets.items()
    }
    return ScriptsReach(scripts, sandbox=sandbox)


def given(told: Told) -> dict[str, dict[Entity, Given]]:
    """What actions of packages are given, by action and target."""
    found: dict[str, dict[Entity, Given]] = {}
    for target, one in told.targets.items():
        for name, shape in one.actions.items():
            place = Given(places=shape.places, user=shape.user)
            found.setdefault(name, {})[target] = place
    return found


def _registered(script: ScriptShape) -> Registered:
    limits = script.limits
    return Registered(
        run=Pinned(file=script.run.file, sha256=script.run.sha256),
        look=_pinned(script.look),
        verify=_pinned(script.verify),
        undo=_pinned(script.undo),
        irreversible=script.irreversible,
        risk=script.risk,
        parameters=script.parameters,
        arguments=script.arguments,
        environment=script.environment,
        mounts=(
            *(Mount(path=path) for path in script.reads),
            *(Mount(path=path, writable=True) for path in script.writes),
        ),
        limits=Limits(
            memory_bytes=limits.memory_mib * MEBIBYTE,
            tasks=limits.tasks,
            cpu_weight=limits.cpu_weight,
            wall_s=limits.wall_s,
        ),
        quota=Quota(at_once=limits.at_once, per_minute=limits.per_minute),
        user=script.user,
    )


def _pinned(shape: PinnedShape | None) -> Pinned | None:
    return Pinned(file=shape.file, sha256=shape.sha256) if shape else None
