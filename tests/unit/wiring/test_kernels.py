"""Kernels that are compiled where it does not matter."""

from opsmith.wiring.kernels import compile_all, compiled_elsewhere


async def test_what_a_watcher_runs_can_be_compiled_in_another_process() -> None:
    compile_all()

    await compiled_elsewhere()
