"""The breaker: after some failures in a row a backend is left alone for a while.

Source: Nygard, "Release It!" (2nd ed., 2018), ch. 5, Circuit Breaker.
"""

from __future__ import annotations

from collections.abc import Callable

from opsmith.errors import Overloaded

FAILURES = 5
FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0


class Breaker:
    """Closed it lets everyone pass; open nobody; after its rest one, whose luck decides.

    name: of the backend, for the error. clock: seconds that only grow.
    """

    def __init__(self, name: str, *, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._opens_at = 0.0
        self._probing = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        if self._failures < FAILURES:
            return "closed"
        return "open" if self._clock() < self._opens_at else "half-open"

    def check(self) -> None:
        """Raises `Overloaded`, with the time until the next try, when nobody may pass."""
        left_s = max(self._opens_at - self._clock(), 0.0)
        if self.state == "open" or (self.state == "half-open" and self._probing):
            raise Overloaded(
                f"{self._name} failed {self._failures} times in a row and is left alone for"
                f" {max(left_s, 1.0):.0f} s.",
                retry_after_s=max(left_s, 1.0),
            )

    def enter(self) -> bool:
        """Pass, and say afterwards how it went; whether this is the probe. Raises as `check`."""
        self.check()
        probe = self.state == "half-open"
        self._probing = self._probing or probe
        return probe

    def succeeded(self) -> None:
        """The backend answered, well or not to everybody's taste: it works."""
        self._failures, self._rest_s, self._probing = 0, FIRST_REST_S, False

    def failed(self) -> None:
        """The backend did not answer, or with nonsense."""
        self._failures += 1
        if self._probing:
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        self._probing = False
        if self._failures >= FAILURES:
            self._opens_at = self._clock() + self._rest_s

    def left(self, *, probe: bool) -> None:
        """The caller went away before anything was known; after a probe another one may try."""
        self._probing = self._probing and not probe
