"""The built-in actions, one a file."""

from __future__ import annotations

from opsmith.execute.action import Action

BUILT_IN: tuple[Action, ...] = ()
