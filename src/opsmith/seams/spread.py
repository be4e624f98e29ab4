"""The spread seam: where work that falls into pieces is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


class Spread(Protocol):
    """Applies a pure function to pieces of work, several at a time.

    The answers come in the order of the pieces and do not depend on who computed them; only a
    few pieces are in flight at once, so that memory stays bounded. An error of the function is
    raised where its answer would have come. Raises `Unreachable` when the workers do not answer.
    """

    def each(
        self, function: Callable[[Piece], Answer], pieces: Iterable[Piece]
    ) -> Iterator[Answer]:
        """function(piece) for every piece, in order."""

    def close(self) -> None:
        """Let go of the workers; those of a cluster go on."""
