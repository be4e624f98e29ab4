"""Plans as JSON, for the faces."""

from __future__ import annotations

from opsmith.answer.plan_shapes import judgement_shape as judgement_shape  # noqa: PLC0414
from opsmith.answer.plan_shapes import outcome_shape as outcome_shape  # noqa: PLC0414
from opsmith.answer.plan_shapes import plan_shape as plan_shape  # noqa: PLC0414
