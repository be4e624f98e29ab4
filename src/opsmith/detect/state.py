"""The state of many streaming series as columns of arrays: one row a series, about 5 KB each."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsmith.errors import BadInput

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Marks = NDArray[np.int32]

WINDOW = 60  # values in the feature window; an hour of minutes
RESIDUALS = 64  # residuals behind the Student-t interval
SHORT = 12  # values in the short mean; its neighbour "12 ago" is the context of level and season
VIEWS = 9
OFFSETS = 2  # tile coding: each symbol is binned twice, half a bin apart
TABLES = VIEWS * 2 * OFFSETS  # a view alone and a view in context
SLOTS = 127  # symbols a table tells apart (prime, so that pairs spread)
LIMIT = 15  # counts stop here: a nibble
DAY_SLOTS = 48
WEEK_SLOTS = 168

# Columns of `scalars`.
SEEN = 0  # accepted values
LAST_TIME = 1  # Unix seconds
STEP = 2  # typical distance of two samples, seconds
PIVOT = 3  # the running sums are about this value
SUM = 4
SQUARES = 5
RESIDUAL_SUM = 6
RESIDUAL_SQUARES = 7
RESIDUAL_COUNT = 8
LAST = 9  # the value before
RUN = 10  # how often the value has repeated itself
SLOW = 11  # slow mean (200 points)
SLOW_ERROR = 12  # running absolute errors: which of slow mean, day, week predicts best
DAY_ERROR = 13
WEEK_ERROR = 14
LEVELS = 15  # three local levels of fixed gain ...
LEVEL_ERRORS = 18  # ... and their running absolute errors
PERSISTENCE = 21  # running mean of the surprise
SCORED = 22  # points counted in the tables
BAR = 23  # highest alarm score of the present cool-down
BAR_TIME = 24
STRICTNESS = 25  # multiplies the threshold; labels move it
UNUSUAL = 26  # points in a row beyond 20 sigma while warming
ALARM_OPEN = 27  # 1 from an alarm until the series is calm again
ALARM_SEEN = 28  # SEEN at the alarm
ALARM_LEVEL = 29  # window mean just before the alarm
ALARM_SCALE = 30
RAW = 31  # a counter's last raw value
RAW_TIME = 32
IS_COUNTER = 33
FIRST_TIME = 34
PREDICTED = 35  # the prediction made for the next point
SPAN = 36  # half the 5 to 95 % range of the values
ORIGIN = 37  # the first value: the profiles are kept about it
SINCE = 38  # seconds since the sample before, at most two steps
DAY_START = 39  # Unix seconds
DAYS_KNOWN = 40  # finished days in the daily greatest values, -1 during the first
SHIFT = 41  # the slow channels of `detect.days`, in this order
ASTRAY = 42
UNREST = 43
SCALARS = 44


class State(NamedTuple):
    """Everything remembered of n series. Times in Unix seconds, values in the series' unit.

    scalars: (n, SCALARS) by the column names above.
    ring: (n, WINDOW) the last values, oldest at SEEN % WINDOW once full.
    order: (n, WINDOW) the ring's slots by rising value.
    residuals: (n, RESIDUALS) the last one-step residuals.
    past: (n, 2, SHORT) squashed level and season, for "12 ago".
    before: (n, 2) squashed value and level of the point before.
    day, week: (n, 48), (n, 168) means by half hour of day and by hour of week, about ORIGIN;
    NaN where unseen.
    days: (n, 3, 4) the slow channels' greatest values by day, see `detect.days`.
    quantiles: (n, VIEWS, 3) running 5, 50 and 95 % of each view.
    counts: (n, TABLES, 64) how often each symbol was seen, two nibbles a byte.
    masses: (n, LIMIT + 1, TABLES) how many symbols were seen j times.
    """

    scalars: Floats
    ring: Floats
    order: Bytes
    residuals: Singles
    past: Singles
    before: Floats
    day: Singles
    week: Singles
    days: Singles
    quantiles: Floats
    counts: Bytes
    masses: Bytes

    @property
    def series(self) -> int:
        """How many series there are."""
        return int(self.scalars.shape[0])

    @property
    def bytes_a_series(self) -> float:
        """Memory a series."""
        return sum(part.nbytes for part in self) / max(1, self.series)


def fresh(series: int) -> State:
    """The state of `series` series that nothing has been seen of."""
    state = State(
        scalars=np.zeros((series, SCALARS)),
        ring=np.zeros((series, WINDOW)),
        order=np.zeros((series, WINDOW), np.uint8),
        residuals=np.zeros((series, RESIDUALS), np.float32),
        past=np.zeros((series, 2, SHORT), np.float32),
        before=np.zeros((series, 2)),
        day=np.full((series, DAY_SLOTS), np.nan, np.float32),
        week=np.full((series, WEEK_SLOTS), np.nan, np.float32),
        days=np.zeros((series, 3, 4), np.float32),
        quantiles=np.zeros((series, VIEWS, 3)),
        counts=np.zeros((series, TABLES, (SLOTS + 1) // 2), np.uint8),
        masses=np.zeros((series, LIMIT + 1, TABLES), np.uint8),
    )
    state.scalars[:, LAST_TIME] = -np.inf
    state.scalars[:, BAR_TIME] = -np.inf
    state.scalars[:, RAW] = np.nan
    state.scalars[:, PREDICTED] = np.nan
    state.scalars[:, STRICTNESS] = 1.0
    state.scalars[:, DAYS_KNOWN] = -1.0
    return state


def grown(state: State, series: int) -> State:
    """The same state with room for `series` series, the new ones fresh."""
    more = fresh(series - state.series)
    return State._make(
        np.concatenate((getattr(state, name), getattr(more, name))) for name in State._fields
    )


MAGIC = b"opsmith-detect"
VERSION = 3
# The version before: its masses are (n, TABLES, LIMIT + 1).
TURNED = 2
_HEAD = struct.Struct("<14sHIIII")  # magic, version, series, and the sizes that fix the layout


def to_bytes(state: State) -> bytes:
    """The state as bytes: a head with version and sizes, then each array in order."""
    head = _HEAD.pack(MAGIC, VERSION, state.series, SCALARS, TABLES, SLOTS)
    return head + b"".join(np.ascontiguousarray(part).tobytes() for part in state)


def from_bytes(data: bytes) -> State:
    """The state that `to_bytes` wrote, ready to go on without a jump.

    Raises `BadInput` when the bytes are not such a state, were cut short, or are of another
    version: a detector then starts fresh rather than from nonsense.
    """
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise BadInput("These bytes are no detector state.")
    _, version, series, scalars, tables, slots = _HEAD.unpack_from(data)
    fits = (scalars, tables, slots) == (SCALARS, TABLES, SLOTS)
    if version not in (VERSION, TURNED) or not fits:
        raise BadInput(
            f"The detector state has version {version}, this opsmith reads {VERSION}.",
            hint="Remove it to start fresh.",
        )
    like = fresh(0)
    need = sum(part.dtype.itemsize * series * int(np.prod(part.shape[1:])) for part in like)
    if len(data) != _HEAD.size + need:
        raise BadInput("The detector state was cut short.", hint="Remove it to start fresh.")
    parts, at = [], _HEAD.size
    for part in like:
        shape = (series, *part.shape[1:])
        count = int(np.prod(shape))
        parts.append(np.frombuffer(data, part.dtype, count, at).reshape(shape).copy())
        at += count * part.dtype.itemsize
    state = State._make(parts)
    if version == TURNED:
        turned = state.masses.reshape(series, TABLES, LIMIT + 1).transpose(0, 2, 1)
        state = state._replace(masses=np.ascontiguousarray(turned))
    return state
