"""How surprising a symbol is in a stream: Good-Turing on counts that fit a nibble.

A series' own history is kept as a log histogram: values are squashed, binned and counted, and a
new symbol is ranked by the share of history that was at least as rare.
"""

from __future__ import annotations

import math

import numpy as np

from opsmith.detect.state import LIMIT, SLOTS, TABLES, Bytes, Floats
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
def _set_count(counts: Bytes, table: int, slot: int, count: int) -> None:
    shift = (slot & 1) << 2
    others = np.int64(counts[table, slot >> 1]) & (240 >> shift)
    counts[table, slot >> 1] = others | (count << shift)


@kernel
def meet(counts: Bytes, masses: Bytes, table: int, scored: float, symbol: int) -> float:
    """The probability of a symbol at least as rare as this one; then count it.

    With N_j symbols seen j times among n, everything seen at most c times weighs about
    sum_{j <= c+1} j N_j / n, so p = (1 + sum) / (n + 1); 1 for what was seen LIMIT times.
    Without a branch, since which symbols are rare is what no processor can foresee.
    counts: (TABLES, 64), masses: (TABLES, LIMIT + 1) the N_j (N_0 is never read), changed in
    place; scored: n. symbol: between -FARTHEST and FARTHEST.
    Source: Good, "The population frequencies of species" (1953).
    """
    slot = int(np.uint64(symbol + FARTHEST) % np.uint64(SLOTS))
    count = count_of(counts, table, slot)
    after = min(count + 1, LIMIT)
    mass = np.int32(0)
    for j in range(LIMIT + 1):  # all of them, for one pass of vector instructions
        rare = np.int32(j) if j <= after else np.int32(0)
        mass += rare * np.int32(masses[table, j])
    masses[table, count] -= min(count, 1)
    masses[table, after] += 1
    _set_count(counts, table, slot, after)
    return 1.0 if count == LIMIT else min(1.0, (mass + 1.0) / (scored + 1.0))


@kernel
def surprise(
    counts: Bytes, masses: Bytes, first_table: int, value: float, context: float, scored: float
) -> float:
    """Mean surprise, -log10 p, of a squashed value alone and in its context.

    counts: (TABLES, 64), masses: (TABLES, LIMIT + 1); four tables from `first_table` on.
    """
    product = 1.0
    table = first_table
    for offset in (0.5, 1.0):
        alone = math.floor(BINS * value + offset)
        beside = math.floor(BINS * context + offset)
        product *= meet(counts, masses, table, scored, alone)
        product *= meet(counts, masses, table + 1, scored, alone * 37 + beside)
        table += 2
    # what was seen often enough is no surprise at all: the usual case, and a logarithm saved
    return 0.0 if product == 1.0 else -math.log10(product) / 4.0


@kernel
def halve(counts: Bytes, masses: Bytes) -> None:
    """Forget half: every count is halved, so that habits of long ago fade.

    counts: (TABLES, 64), masses: (TABLES, LIMIT + 1), changed in place.
    """
    for table in range(TABLES):
        masses[table, :] = 0
        for slot in range(SLOTS):
            count = count_of(counts, table, slot) // 2
            _set_count(counts, table, slot, count)
            masses[table, count] += 1
        masses[table, 0] = 0
