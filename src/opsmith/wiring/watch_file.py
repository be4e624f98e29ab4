"""The watch file: which series are watched and which thresholds looked ahead for; checked here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from opsmith.errors import BadInput
from opsmith.nouns.forecast import Side
from opsmith.nouns.sign import Threshold

LARGEST_FILE = 1024 * 1024
DEFAULTS = "watch_defaults.yaml"

PromQl = Annotated[str, Field(min_length=1, max_length=4096)]


class Strict(BaseModel):
    """A part of the file; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdShape(Strict):
    """A value that a query should not reach, from below (`above`) or from above (`below`)."""

    name: str = Field(min_length=1, max_length=200)
    promql: PromQl
    above: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_side(self) -> ThresholdShape:
        if (self.above is None) == (self.below is None):
            raise ValueError("give one of above and below")
        return self

    def threshold(self, origin: str) -> Threshold:
        """The same as a value of the house."""
        side = Side.BELOW if self.above is None else Side.ABOVE
        value = self.below if self.above is None else self.above
        return Threshold(
            name=self.name, promql=self.promql, side=side, value=value or 0.0, origin=origin
        )


class WatchShape(Strict):
    """The whole file. What it leaves out is as in the built-in one."""

    series: list[PromQl] | None = Field(default=None, max_length=50)
    most_signals: int = Field(default=2000, ge=1, le=50_000)
    thresholds: list[ThresholdShape] = Field(default=[], max_length=500)
    natural_limits: bool = True
    alert_rules: bool = True
    alone_a_day: int = Field(default=2, ge=0, le=100)


def read(path: Path | None) -> WatchShape:
    """What a file says; the defaults without one. Raises `BadInput` that says what is wrong."""
    if path is None:
        return WatchShape()
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{path}: larger than {LARGEST_FILE} bytes.")
        return _shape(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: no UTF-8 text.") from error


def natural_limits() -> tuple[Threshold, ...]:
    """What nothing can outgrow: disks, files, memory, pools."""
    text = (files("opsmith.wiring") / DEFAULTS).read_text(encoding="utf-8")
    return tuple(one.threshold("cap") for one in _shape(text, DEFAULTS).thresholds)


def _shape(text: str, where: str) -> WatchShape:
    try:
        return WatchShape.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise BadInput(f"{where}: no YAML ({str(error)[:200]}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{where}: {place}: {first['msg']}.") from error
