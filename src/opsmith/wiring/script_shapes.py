"""How scripts stand in the targets file, checked at the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError
from pydantic import Field, model_validator

from opsmith.wiring.paths import AbsolutePath
from opsmith.wiring.source_file import Strict

ScriptName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]


class PinnedShape(Strict):
    """A script file and the SHA-256 that it must have (`sha256sum FILE`)."""

    file: AbsolutePath
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ScriptLimitsShape(Strict):
    """What a script may take; see `docs/how-to/sandbox.md`."""

    memory_mib: int = Field(default=128, ge=16, le=4096)
    tasks: int = Field(default=32, ge=3, le=512)
    cpu_weight: int = Field(default=20, ge=1, le=10_000)
    wall_s: float = Field(default=30.0, ge=0.1, le=600.0)
    at_once: int = Field(default=4, ge=1, le=100)
    per_minute: int = Field(default=30, ge=1, le=1000)


def _none() -> dict[str, object]:
    """The schema of no parameters."""
    return {"type": "object", "additionalProperties": False}


class ScriptShape(Strict):
    """A script that may be run for the target, whole: how it is verified and undone, too."""

    run: PinnedShape
    look: PinnedShape | None = None
    verify: PinnedShape | None = None
    undo: PinnedShape | None = None
    irreversible: str = ""
    risk: Literal["change", "destructive"] = "change"
    parameters: Mapping[str, object] = Field(default_factory=_none)
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = Field(default_factory=dict)
    reads: tuple[AbsolutePath, ...] = ()
    writes: tuple[AbsolutePath, ...] = ()
    user: str = ""
    limits: ScriptLimitsShape = ScriptLimitsShape()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.irreversible:
            if self.undo:
                raise ValueError("it says both how it is undone and why it cannot be")
        elif not (self.undo and self.verify):
            raise ValueError("it has verify and undo, or says why it is irreversible")
        _check_parameters(self.parameters, self.arguments)
        return self


def _check_parameters(parameters: Mapping[str, object], arguments: Sequence[str]) -> None:
    try:
        Draft7Validator.check_schema(dict(parameters))
    except SchemaError as error:
        raise ValueError(f"parameters are no JSON Schema: {error.message}") from error
    if parameters.get("type") != "object" or parameters.get("additionalProperties") is not False:
        raise ValueError("parameters are an object, closed by `additionalProperties: false`")
    required = parameters.get("required")
    absent = set(arguments) - set(required if isinstance(required, list) else ())
    if absent:
        raise ValueError(f"the arguments {', '.join(sorted(absent))} are not `required`")
