"""Message: what one side said in a talk with a language model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Speaker(StrEnum):
    """Who said it. The system is who tells the model how to answer."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing said."""

    speaker: Speaker
    text: str
