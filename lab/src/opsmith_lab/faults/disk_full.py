"""Something fills the volume of a service until a real write of it finds no space."""

from __future__ import annotations

import asyncio

from opsmith_lab.faults.fault import End, Fault, with_volume
from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.volume import CHUNK_BYTES

# At strength 1 an empty volume of 8 MiB is full after some eight seconds.
BYTES_A_SECOND = 2**20


def begin(process: ShopProcess, strength: float) -> End:
    """Write debug dumps beside the journal, once, until the volume takes no more."""

    async def fill() -> None:
        pieces = process.spec.volume_mb * 2**20 // CHUNK_BYTES + 1
        for _ in range(pieces):
            process.volume.dump()
            await asyncio.sleep(CHUNK_BYTES / (BYTES_A_SECOND * strength))

    task = asyncio.get_running_loop().create_task(fill())
    process.tasks.add(task)

    async def end() -> None:
        task.cancel()
        process.volume.clear_dumps()

    return end


FAULT = Fault(
    name="disk-full",
    kind="disk.full",
    alert="ShopErrorsHigh",
    summary="The volume of a service runs full, and it can no longer write its journal.",
    target="service:payments",
    targets=with_volume(),
    begin=begin,
)
