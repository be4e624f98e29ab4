"""The table of faults: name → fault."""

from __future__ import annotations

from opsmith_lab.faults import (
    bad_deploy,
    cpu_hog,
    early_return,
    memory_leak,
    pool_exhausted,
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
    )
}
