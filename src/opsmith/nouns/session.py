"""Session: a conversation with opsmith, turn by turn, and who it was with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from opsmith.errors import BadInput

LONGEST_COMMAND = 4_000
# Whose everything is that nobody brought in for another tenant: what opsmith watches and finds.
HOUSE = "default"


class TurnStatus(StrEnum):
    """How a turn ended."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One sentence of a session and what came of it, kept as one record.

    number: from 1. command: what was typed. intents: of the tasks it was read as.
    said: the answer in short. state: what the next turn starts from, as the reader wrote it.
    began, ended: UTC-aware, kept to the millisecond.
    """

    session: str
    number: int
    command: str
    status: TurnStatus
    began: datetime
    ended: datetime
    outcome: str = ""
    intents: tuple[str, ...] = ()
    said: str = ""
    state: str = ""
    principal: str = "opsmith"
    tenant: str = HOUSE

    def __post_init__(self) -> None:
        if self.number < 1 or self.began.tzinfo is None or self.ended.tzinfo is None:
            raise BadInput("A turn has a number from 1 and times with their zone.")
        if len(self.command) > LONGEST_COMMAND:
            raise BadInput(f"A command has at most {LONGEST_COMMAND} characters.")


class Role(StrEnum):
    """What a principal may do, least first."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, in which role and for which tenant.

    everywhere: whether it is whoever runs the installation, and so sees every tenant's things;
        what it makes itself still belongs to `tenant`.
    named: whether the name is that of one person or program; False where several share a key.
    """

    name: str
    role: Role = Role.OPERATOR
    tenant: str = HOUSE
    everywhere: bool = False
    named: bool = True

    def __post_init__(self) -> None:
        for text in (self.name, self.tenant):
            if not text or len(text) > 64 or not text.isprintable():  # noqa: PLR2004 - a name
                raise BadInput("A principal and a tenant have names of 1 to 64 characters.")

    def sees(self, tenant: str) -> bool:
        """Whether things of `tenant` are there for it; to all others they do not exist.

        >>> Principal(name="ann", tenant="shop").sees("bank")
        False
        """
        return self.everywhere or tenant == self.tenant
