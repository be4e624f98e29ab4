"""The whole error tree: what went wrong, whose side it is on, and what each face says of it.

    OpsmithError
    ├── AskError        what was asked cannot be answered as it stands (the asker mends it)
    │   ├── BadInput        a file, value or name is not what it must be
    │   ├── NotFound        what was named does not exist
    │   ├── Conflict        somebody else was first
    │   ├── MissingExtra    an optional part is not installed
    │   └── TooMany         one asker wants more at once than its share
    ├── WorldError      something outside the house failed (often worth a second try)
    │   ├── Unreachable     a server did not answer
    │   │   ├── Overloaded      it has more to do than it can, and says when to come back
    │   │   └── NotBegun        it was refused before anything was done: nothing to undo
    │   └── BadAnswer       a server answered with nonsense
    └── HouseError      a promise of our own was broken (a bug or a damaged store)

A refusal by policy is not an error but an answer; the terminal says it with exit code 4.
"""

from __future__ import annotations

REFUSED_EXIT_CODE = 4


class OpsmithError(Exception):
    """Something went wrong in opsmith."""

    exit_code: int = 1
    http_status: int = 500
    worth_retrying: bool = False
    # When a second try may do better, seconds from now; 0 when nobody knows.
    retry_after_s: float = 0.0

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message or type(self).__doc__)

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class AskError(OpsmithError):
    """What was asked cannot be answered as it stands."""

    exit_code = 2
    http_status = 422


class BadInput(AskError):
    """A file, value or name is not what it must be."""


class NotFound(AskError):
    """What was named does not exist."""

    http_status = 404


class Conflict(AskError):
    """What was asked about has changed since it was looked at."""

    exit_code = 1
    http_status = 409


class MissingExtra(AskError):
    """An optional part of opsmith is not installed."""

    http_status = 501


class TooMany(AskError):
    """You ask for more at once than your share; come back later."""

    exit_code = 1
    http_status = 429
    worth_retrying = True

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class WorldError(OpsmithError):
    """Something outside the house failed."""

    exit_code = 3
    http_status = 503
    worth_retrying = True


class Unreachable(WorldError):
    """A server did not answer."""


class Overloaded(Unreachable):
    """There is more to do than can be done; come back later."""

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class NotBegun(Unreachable):
    """It was refused before anything was done, so that there is nothing to undo."""


class BadAnswer(WorldError):
    """A server answered with something that cannot be read."""

    http_status = 502


class HouseError(OpsmithError):
    """A promise of opsmith itself was broken; please report it."""
