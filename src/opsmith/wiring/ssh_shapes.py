"""What the targets file says of hosts over SSH, of units on them, and of commands."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from opsmith.backends.reach.ssh_commands import places
from opsmith.wiring.paths import AbsolutePath
from opsmith.wiring.source_file import Strict

UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.@][A-Za-z0-9:_.@\\-]{0,200}$")]
Argv = tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...]
SlotName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
CommandName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")]


class SshShape(Strict):
    """How a host is reached over SSH; its key must stand in `known_hosts`."""

    address: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(pattern=r"^[a-z_][a-z0-9_.-]{0,63}$")
    key_file: AbsolutePath
    known_hosts: AbsolutePath


class UnitShape(Strict):
    """The unit that systemd runs of a service. host: where, over SSH; None for this machine."""

    unit: UnitName
    host: str | None = None
    sudo: bool = False


class SlotShape(Strict):
    """What a value of a command may be: a pattern of the whole text, a choice, or a number."""

    pattern: str = Field(default="", max_length=500)
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    @model_validator(mode="after")
    def _one_way(self) -> SlotShape:
        ways = [bool(self.pattern), bool(self.choices), self.low is not None]
        if sum(ways) != 1 or (self.low is None) != (self.high is None):
            raise ValueError("a value has a pattern, or choices, or low and high")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"no pattern ({error})") from error
        return self


class CommandShape(Strict):
    """A command that may be run on hosts; each part a list of words, never a line."""

    argv: Argv = Field(min_length=1)
    values: dict[SlotName, SlotShape] = Field(default_factory=dict)
    look: Argv = ()
    check: Argv = ()
    undo: Argv = ()
    changes: bool = True

    @model_validator(mode="after")
    def _places_known(self) -> CommandShape:
        unknown = places((*self.argv, *self.look, *self.check, *self.undo)) - set(self.values)
        if unknown:
            raise ValueError(f"no value is named {', '.join(sorted(unknown))}")
        return self
