"""Work on a Dask cluster (extra `dask`). Workers need the same opsmith installed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from threadpoolctl import threadpool_limits

from opsmith.errors import MissingExtra, Unreachable

try:
    from distributed import Client, Future, KilledWorker
    from distributed.comm import CommClosedError
except ImportError as error:
    raise MissingExtra(
        "Spreading work over machines needs Dask.", hint="pip install 'opsmith[dask]'"
    ) from error

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

# Pieces sent ahead of the answer that is waited for, for each worker thread.
AHEAD = 2
TIMEOUT_S = 10


class DaskSpread:
    """The spread seam over the workers of the scheduler at `address` (`tcp://host:8786`).

    Raises `Unreachable` when the scheduler does not answer or has no worker.
    """

    def __init__(self, address: str) -> None:
        try:
            self._client = Client(address, timeout=TIMEOUT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise Unreachable(
                f"No Dask scheduler answers at {address}.", hint="Start one: dask scheduler."
            ) from error
        if not self._client.ncores():
            self._client.close()
            raise Unreachable("The Dask cluster has no worker.", hint="Start one: dask worker.")

    def each(
        self, function: Callable[[Piece], Answer], pieces: Iterable[Piece]
    ) -> Iterator[Answer]:
        """function(piece) for every piece, in order."""
        most = AHEAD * sum(self._client.ncores().values())
        waiting: deque[Future] = deque()
        for piece in pieces:
            waiting.append(self._client.submit(on_one_thread, function, piece, pure=False))
            if len(waiting) > most:
                yield answered(waiting.popleft(), function)
        while waiting:
            yield answered(waiting.popleft(), function)

    def close(self) -> None:
        """Let go of the scheduler; the cluster goes on."""
        self._client.close()


def on_one_thread(function: Callable[[Piece], Answer], piece: Piece) -> Answer:
    """function(piece) with linear algebra on one thread, as `ThreadSpread` does it."""
    with threadpool_limits(1, "blas"):
        return function(piece)


def answered(future: Future, _: Callable[[Piece], Answer]) -> Answer:
    """What a worker made of a piece, or the loss of the cluster in our words."""
    try:
        answer: Answer = future.result()
    except (CommClosedError, KilledWorker) as error:
        raise Unreachable("The Dask cluster was lost at work.", hint="See its logs.") from error
    return answer
