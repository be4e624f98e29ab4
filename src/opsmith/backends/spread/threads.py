"""Work on threads of this process; numpy and kernels run beside each other there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


class ThreadSpread:
    """The spread seam over `workers` threads."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def each(
        self, function: Callable[[Piece], Answer], pieces: Iterable[Piece]
    ) -> Iterator[Answer]:
        """function(piece) for every piece, in order; one more waits than there are threads."""
        waiting: deque[Future[Answer]] = deque()
        # One thread a piece in linear algebra too: sums in another order have other last bits,
        # and the answers must not depend on who computed them.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self._workers) as pool:
            for piece in pieces:
                waiting.append(pool.submit(function, piece))
                if len(waiting) > self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def close(self) -> None:
        """Nothing to let go of: the threads end with their work."""
