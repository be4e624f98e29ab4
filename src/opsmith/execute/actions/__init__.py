"""The built-in actions, one file for what belongs together."""

from __future__ import annotations

from opsmith.execute.action import Action
from opsmith.execute.actions.config import PatchConfig, SetConfig
from opsmith.execute.actions.logs import CleanLogs, QuarantineLogs

BUILT_IN: tuple[Action, ...] = (SetConfig(), PatchConfig(), CleanLogs(), QuarantineLogs())
