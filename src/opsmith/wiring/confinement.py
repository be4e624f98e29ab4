"""What confines programs on this host, and whether it does."""

from __future__ import annotations

from opsmith.backends.sandbox.namespaces import KernelSandbox
from opsmith.errors import OpsmithError
from opsmith.nouns.checkup import Finding, State
from opsmith.seams.sandbox import Program

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
