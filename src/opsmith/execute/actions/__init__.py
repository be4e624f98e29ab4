"""The built-in actions, one file for what belongs together."""

from __future__ import annotations

from opsmith.execute.action import Action
from opsmith.execute.actions.alerts import SilenceAlerts
from opsmith.execute.actions.config import PatchConfig, SetConfig
from opsmith.execute.actions.hosts import ON_HOSTS
from opsmith.execute.actions.kubernetes import ON_CLUSTERS
from opsmith.execute.actions.logs import CleanLogs, QuarantineLogs
from opsmith.execute.actions.reads import READS
from opsmith.execute.actions.script import RunScript
from opsmith.execute.actions.service import (
    ClearDisk,
    FlushCache,
    Limit,
    Restart,
    RollBack,
    RollBackConfig,
)
from opsmith.execute.actions.traffic import SHIFT_TRAFFIC

BUILT_IN: tuple[Action, ...] = (
    SetConfig(),
    PatchConfig(),
    CleanLogs(),
    QuarantineLogs(),
    Restart(),
    RollBack(),
    Limit(),
    RollBackConfig(),
    ClearDisk(),
    FlushCache(),
    SilenceAlerts(),
    RunScript(),
    *ON_HOSTS,
    *ON_CLUSTERS,
    SHIFT_TRAFFIC,
    *READS,
)
