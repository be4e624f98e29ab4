"""How surprising a symbol is in a stream: Good-Turing on counts that fit a nibble.

A series' own history is kept as a log histogram: values are squashed, binned and counted, and a
new symbol is ranked by the share of history that was at least as rare.
"""

from __future__ import annotations

import math

import numpy as np

from opsmith.detect.state import LIMIT, SLOTS, TABLES, Bytes, Floats, Marks
from opsmith.numerics.compiled import kernel

# Bins a unit of the squashed scale: half a unit is the coarsest bin that still tells one scale
# from two (log1p 1 = 0.7, log1p 2 = 1.1).
BINS = 2.0
# Squashed values stay below 231 (of 1e100), pairs of symbols below 18,000; a multiple of SLOTS, so
# that the remainder of what is never negative is the same, and cheap.
FARTHEST = 1024 * SLOTS


@kernel
def squash(value: float, centre: float, scale: float) -> float:
    """Signed log scale: sign(z) ln(1 + |z|) with z = (value - centre) / scale."""
    z = (value - centre) / scale
    return math.copysign(math.log1p(min(abs(z), 1e100)), z)


@kernel
def track(quantiles: Floats, value: float, rate: float) -> None:
    """Move running 5, 50 and 95 % quantiles one step towards `value`.

    quantiles: (3,), changed in place; rate: step as a share of their distance.
    Source: Robbins & Monro (1951); stochastic approximation of a quantile.
    """
    step = rate * (quantiles[2] - quantiles[0])
    quantiles[0] += step * (0.05 - (1.0 if value < quantiles[0] else 0.0))
    quantiles[1] += step * (0.5 - (1.0 if value < quantiles[1] else 0.0))
    quantiles[2] += step * (0.95 - (1.0 if value < quantiles[2] else 0.0))


@kernel
def count_of(counts: Bytes, table: int, slot: int) -> int:
    """How often a symbol was seen, 0 to LIMIT. counts: (TABLES, 64) two nibbles a byte."""
    return int((np.int64(counts[table, slot >> 1]) >> ((slot & 1) << 2)) & 15)


@kernel
def meet(counts: Bytes, masses: Bytes, marks: Marks, scored: float, out: Floats) -> None:
    """The probability, in every table, of a symbol at least as rare as its; then count them.

    With N_j symbols seen j times among n, everything seen at most c times weighs about
    sum_{j <= c+1} j N_j / n, so p = (1 + sum) / (n + 1); 1 for what was seen LIMIT times.
    All tables at once and without a branch: the sums are vectors over tables, and which symbols
    are rare is what no processor can foresee.
    counts: (TABLES, 64), masses: (LIMIT + 1, TABLES) the N_j (N_0 is never read), changed in
    place. marks: (4, TABLES), the first row the symbols, between -FARTHEST and FARTHEST, the
    rest any content. scored: n. out: (TABLES,), filled in.
    Source: Good, "The population frequencies of species" (1953).
    """
    for table in range(TABLES):
        slot = np.uint32(marks[0, table] + FARTHEST) % np.uint32(SLOTS)
        place, shift = slot >> np.uint32(1), (slot & np.uint32(1)) << np.uint32(2)
        both = np.uint32(counts[table, place])
        count = (both >> shift) & np.uint32(15)
        more = np.uint32(1) if count < np.uint32(LIMIT) else np.uint32(0)
        counts[table, place] = both + (more << shift)
        marks[1, table] = count
        marks[2, table] = count + more
        marks[3, table] = 0
    for j in range(1, LIMIT + 1):
        symbols = masses[j]
        for table in range(TABLES):
            rare = np.int32(j) if np.int32(j) <= marks[2, table] else np.int32(0)
            marks[3, table] += rare * np.int32(symbols[table])
    for table in range(TABLES):
        count, after = marks[1, table], marks[2, table]
        masses[count, table] -= min(count, 1)
        masses[after, table] += 1
        rarer = min(1.0, (marks[3, table] + 1.0) / (scored + 1.0))
        out[table] = 1.0 if count == LIMIT else rarer


@kernel
def name(marks: Marks, first_table: int, value: float, context: float) -> None:
    """Write down the symbols of a squashed value, alone and in its context, for two offsets.

    marks: (4, TABLES); the first row from `first_table` on is filled in.
    """
    for tile in range(2):
        offset = 0.5 * (tile + 1)
        alone = math.floor(BINS * value + offset)
        beside = math.floor(BINS * context + offset)
        marks[0, first_table + 2 * tile] = alone
        marks[0, first_table + 2 * tile + 1] = alone * 37 + beside


@kernel
def surprise(chances: Floats, first_table: int) -> float:
    """Mean surprise, -log10 p, over the four tables of a view; chances: (TABLES,)."""
    product = chances[first_table] * chances[first_table + 1]
    product *= chances[first_table + 2] * chances[first_table + 3]
    # what was seen often enough is no surprise at all: the usual case, and a logarithm saved
    return 0.0 if product == 1.0 else -math.log10(product) / 4.0


@kernel
def halve(counts: Bytes, masses: Bytes) -> None:
    """Forget half: every count is halved, so that habits of long ago fade.

    counts: (TABLES, 64), masses: (LIMIT + 1, TABLES), changed in place.
    """
    masses[:] = 0
    for table in range(TABLES):
        for place in range(counts.shape[1]):
            both = int(counts[table, place])
            low, high = (both & 15) >> 1, both >> 5
            counts[table, place] = low | (high << 4)
            masses[low, table] += 1
            masses[high, table] += 1
    masses[0] = 0
