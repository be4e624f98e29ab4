"""The table of faults: name → fault."""

from __future__ import annotations

from opsmith_lab.faults import (
    bad_config,
    bad_deploy,
    cache_stampede,
    connection_resets,
    cpu_hog,
    crash_loop,
    disk_full,
    early_return,
    memory_leak,
    pool_exhausted,
    retry_storm,
    slow_dependency,
)
from opsmith_lab.faults.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        pool_exhausted.FAULT,
        cpu_hog.FAULT,
        memory_leak.FAULT,
        slow_dependency.FAULT,
        bad_deploy.FAULT,
        early_return.FAULT,
        connection_resets.FAULT,
        bad_config.FAULT,
        cache_stampede.FAULT,
        disk_full.FAULT,
        crash_loop.FAULT,
        retry_storm.FAULT,
    )
}
