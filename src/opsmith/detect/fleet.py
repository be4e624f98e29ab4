"""Fleet: many streaming series behind one compiled pass, with their names and labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from opsmith.detect.claims import claim
from opsmith.detect.days import NAMES as SLOW_NAMES
from opsmith.detect.labels import moved_strictness
from opsmith.detect.predict import INPUTS, Trees, no_trees
from opsmith.detect.state import (
    ALARM_LEVEL,
    IS_COUNTER,
    SCORED,
    SEEN,
    STRICTNESS,
    TABLES,
    VIEWS,
    Floats,
    State,
    fresh,
    from_bytes,
    grown,
    to_bytes,
)
from opsmith.detect.step import (
    ANSWER,
    BAND_HIGH,
    BAND_LOW,
    CODE,
    FIRST_SLOW,
    FIRST_SURPRISE,
    HIGH,
    LOW,
    MEASURE,
    MEASURED,
    PREDICTION,
    PRIOR,
    SCORE,
    SLOW_SHARE,
    THRESHOLD,
    TIME,
    Rules,
    run,
)
from opsmith.detect.views import NAMES
from opsmith.errors import BadInput
from opsmith.nouns.anomaly import Anomaly, Label, Verdict

CODES = (
    Verdict.QUIET,
    Verdict.WARMING,
    Verdict.ALARM,
    Verdict.OUTAGE,
    Verdict.HELD,
    Verdict.CALM,
    Verdict.NEW_NORMAL,
    Verdict.GAP,
    Verdict.LATE,
)

# The shipped threshold: 0.03 to 0.1 alarms a series-day on real clean series, see
# docs/rooms/detect.md.
THRESHOLD_DEFAULT = 0.45
COOL_DOWN_S = 86400.0
# Two-sided 99 % interval, normal quantile.
INTERVAL_Z = 2.5758


class Fleet:
    """The detector of many series; each is known by its key and by its number.

    threshold: of the alarm score, 0 to 1; cool_down_s: how long an alarm silences lower ones.
    trees: a trained one-step model; without one, local levels predict.
    """

    def __init__(
        self,
        *,
        threshold: float = THRESHOLD_DEFAULT,
        cool_down_s: float = COOL_DOWN_S,
        trees: Trees | None = None,
    ) -> None:
        if not 0.0 < threshold <= 1.0 or not cool_down_s >= 0.0:
            raise BadInput("A threshold lies between 0 and 1 and a cool-down is not negative.")
        self.rules = Rules(
            knobs=np.array([threshold, cool_down_s, INTERVAL_Z]),
            trees=trees or no_trees(),
            scratch=np.zeros(INPUTS + 2 * VIEWS),
            marks=np.zeros((4, TABLES), np.int32),
            chances=np.zeros(TABLES),
        )
        self.keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._state = fresh(16)
        self._row = np.zeros(1, np.int64)
        self._sample = np.full((1, 4), np.nan)
        self._answer = np.zeros((1, ANSWER))

    @property
    def state(self) -> State:
        """The state of all series; spare rows may follow the last one."""
        return self._state

    def row(self, key: str, *, counter: bool = False) -> int:
        """The number of a series, made when it is new."""
        known = self._rows.get(key)
        if known is not None:
            if self._state.scalars[known, SEEN] == 0.0:  # a row that so far only has a label
                self._state.scalars[known, IS_COUNTER] = float(counter)
            return known
        number = len(self.keys)
        if number == self._state.series:
            self._state = grown(self._state, 2 * number)
        self._rows[key] = number
        self.keys.append(key)
        self._state.scalars[number, IS_COUNTER] = float(counter)
        return number

    def push(
        self, row: int, time_s: float, value: float, band: tuple[float, float] | None = None
    ) -> Verdict:
        """Take one sample of one series; `last()` tells more.

        band: low and high of a forecast for it, which moves the threshold by how sure it is.
        """
        self._row[0] = row
        self._sample[0, TIME] = time_s
        self._sample[0, MEASURE] = value
        self._sample[0, BAND_LOW], self._sample[0, BAND_HIGH] = band or (np.nan, np.nan)
        run(self._state, self.rules, self._row, self._sample, self._answer)
        return CODES[int(self._answer[0, CODE])]

    @property
    def measured(self) -> float:
        """What the sample last pushed came to: its value, or a counter's rate a second."""
        return float(self._answer[0, MEASURED])

    def last(self) -> Anomaly:
        """All that was said of the sample last pushed."""
        return self.told(int(self._row[0]), self._sample[0], self._answer[0])

    def take(self, rows: NDArray[np.int64], samples: Floats) -> Floats:
        """Take many samples in one pass and give the raw answers.

        rows: (n,) numbers of series; samples: (n, 2) times (Unix seconds) and values, or (n, 4)
        with a forecast's band, low and high, behind them (NaN for none).
        Returns (n, ANSWER); the columns are named in `detect.step`.
        Raises `BadInput` for shapes or numbers that do not fit.
        """
        wide = np.full((len(rows), 4), np.nan)
        if samples.shape not in ((len(rows), 2), (len(rows), 4)):
            raise BadInput("Samples must be (n, 2) or (n, 4), one line a series number.")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self.keys):
            raise BadInput("There is no series of such a number; ask `row` first.")
        wide[:, : samples.shape[1]] = samples
        answers = np.zeros((len(rows), ANSWER))
        run(self._state, self.rules, rows.astype(np.int64), wide, answers)
        return answers

    def told(self, row: int, sample: Floats, answer: Floats) -> Anomaly:
        """An answer as a noun, with its claim in words. sample: (4,), answer: (ANSWER,)."""
        key, verdict = self.keys[row], CODES[int(answer[CODE])]
        at = datetime.fromtimestamp(_sane(float(sample[TIME])), UTC)
        shares = _shares(answer, float(self._state.scalars[row, SCORED]))
        known = math.isfinite(float(answer[LOW]))
        anomaly = Anomaly(
            id=anomaly_id(key, at),
            series=key,
            at=at,
            verdict=verdict,
            value=float(answer[MEASURED]),
            score=float(answer[SCORE]),
            threshold=float(answer[THRESHOLD]),
            expected=float(answer[PREDICTION]) if known else None,
            low=float(answer[LOW]) if known else None,
            high=float(answer[HIGH]) if known else None,
            views=shares,
            claim="",
        )
        return claim(anomaly, usual=float(self._state.scalars[row, ALARM_LEVEL]))

    def label(self, row: int, label: Label, score: float) -> float:
        """Let a person's word on an alarm of that score move the series' own threshold.

        Returns the new multiplier of the threshold, between the bounds of `detect.labels`.
        """
        scalars = self._state.scalars[row]
        share = score / float(self.rules.knobs[0])
        scalars[STRICTNESS] = moved_strictness(float(scalars[STRICTNESS]), label, share)
        return float(scalars[STRICTNESS])

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all series but these, which are numbered anew in the order given."""
        chosen = np.asarray(rows, np.int64)
        self.keys = [self.keys[row] for row in rows]
        self._rows = {key: row for row, key in enumerate(self.keys)}
        kept = State._make(part[chosen] for part in self._state)
        self._state = grown(kept, max(16, len(self.keys)))

    def to_bytes(self) -> bytes:
        """Names and state, for `from_bytes`."""
        names = "\n".join(key.replace("\n", " ") for key in self.keys).encode()
        used = State._make(part[: len(self.keys)] for part in self._state)
        return len(names).to_bytes(8, "little") + names + to_bytes(used)

    def restore(self, data: bytes) -> None:
        """Go on where `to_bytes` left off. Raises `BadInput` when the bytes are no such state."""
        size = int.from_bytes(data[:8], "little")
        state = from_bytes(data[8 + size :])
        names = data[8 : 8 + size].decode(errors="replace").split("\n") if size else []
        if len(names) != state.series:
            raise BadInput("The detector state names other series than it holds.")
        self._rows, self.keys = {}, names
        self._rows = {key: row for row, key in enumerate(names)}
        self._state = grown(state, max(16, state.series))


def anomaly_id(key: str, at: datetime) -> str:
    """A short name that is the same wherever the same alarm is raised."""
    return hashlib.sha256(f"{key}@{at.isoformat()}".encode()).hexdigest()[:12]


def _shares(answer: Floats, scored: float) -> tuple[tuple[str, float], ...]:
    """How much each view and slow channel weighs, on the scale of the score, largest first."""
    fast = answer[FIRST_SURPRISE:FIRST_SLOW] / math.log10(scored + PRIOR)
    if answer[SCORE] > 0.0 and SLOW_SHARE * answer[FIRST_SLOW:].max() >= answer[SCORE]:
        fast = fast * answer[SCORE]  # the slow channels raised it: they come first
    weights = np.concatenate((fast, SLOW_SHARE * answer[FIRST_SLOW:]))
    total = max(float(weights.sum()), 1e-300)
    ranked: Sequence[int] = np.argsort(-weights, kind="stable").tolist()
    return tuple(
        ((*NAMES, *SLOW_NAMES)[at], float(weights[at]) / total) for at in ranked if weights[at] > 0
    )


def _sane(time_s: float) -> float:
    return min(max(time_s, 0.0), 253402300799.0) if math.isfinite(time_s) else 0.0


__all__ = ["BAND_HIGH", "BAND_LOW", "CODES", "Fleet", "anomaly_id"]
