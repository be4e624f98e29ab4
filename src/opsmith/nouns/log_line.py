"""LogLine: one record of a log as a person reads it, and the question for such records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from opsmith.errors import BadInput

MOST_LINES = 10_000


class Level(IntEnum):
    """How grave a record is: the first severity number of OpenTelemetry's range of that name."""

    UNSET = 0
    TRACE = 1
    DEBUG = 5
    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One record; a stranger's text in all but `at` and `level`, secrets removed.

    at: UTC-aware; of a line that names no time, when it was read.
    service, trace_id: empty when the record names none. source: the file or stream it is from.
    """

    at: datetime
    level: Level
    service: str
    text: str
    trace_id: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which records are wanted: those that fit in all of this.

    start, end: UTC-aware, the end not included. service: empty for all.
    level: at least as grave. text: in them as it stands, in any case.
    limit: how many at most; the newest are taken.
    """

    start: datetime
    end: datetime
    service: str = ""
    text: str = ""
    level: Level = Level.UNSET
    limit: int = 100

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.end <= self.start:
            raise BadInput("Logs are searched between two times with a zone, the later one last.")
        if not 0 < self.limit <= MOST_LINES:
            raise BadInput(f"At most {MOST_LINES} log lines are searched for, at least one.")

    def fits(self, line: LogLine) -> bool:
        """Whether a record is one of those."""
        return (
            self.start <= line.at < self.end
            and line.level >= self.level
            and (not self.service or line.service == self.service)
            and self.text.casefold() in line.text.casefold()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsFound:
    """What a search gave: records, oldest first, and in words what could not be searched."""

    lines: tuple[LogLine, ...]
    missing: tuple[str, ...] = ()
