"""A forecast as PNG, without an imaging library: pixels in numpy, packed by zlib.

Source: W3C, Portable Network Graphics Specification (3rd ed.), chapters 5, 9 and 11.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.canvas import Sketch, sketch, time_label, value_label
from opsmith.nouns.forecast import Outlook

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WHITE, GREY = (255, 255, 255), (156, 163, 175)
PAST, MEDIAN, LIMIT = (31, 41, 55), (29, 78, 216), (220, 38, 38)
BAND80, BAND95 = (147, 197, 253), (219, 234, 254)
MARGIN = (20, 40, 90, 20)  # top, bottom, left, right
# Digits and signs of the axes, three columns by five rows, a row an octal digit.
GLYPHS = {
    "0": "75557",
    "1": "26227",
    "2": "71747",
    "3": "71717",
    "4": "55711",
    "5": "74717",
    "6": "74757",
    "7": "71122",
    "8": "75757",
    "9": "75717",
    "-": "00700",
    "+": "02720",
    ".": "00002",
    ":": "02020",
    "e": "03764",
    " ": "00000",
}
SCALE = 2

Colour = tuple[int, int, int]


def png(outlook: Outlook, *, width: int = 960, height: int = 360) -> bytes:
    """The picture as a PNG file: bands, past, median, threshold, labelled axes."""
    drawn = sketch(outlook)
    pixels = np.full((height, width, 3), WHITE, dtype=np.uint8)
    top, bottom, left, right = MARGIN
    plot = pixels[top : height - bottom, left : width - right]
    _fill(plot, drawn, drawn.band95, BAND95)
    _fill(plot, drawn, drawn.band80, BAND80)
    now = int(drawn.x(drawn.ahead[:1], plot.shape[1] - 1)[0])
    plot[:, now] = GREY
    if drawn.threshold is not None:
        row = int(drawn.y(np.array([drawn.threshold]), plot.shape[0] - 1)[0])
        plot[row] = LIMIT
    _line(plot, drawn, drawn.past, PAST)
    _line(plot, drawn, (drawn.ahead, drawn.median), MEDIAN)
    _axes(pixels, drawn, plot.shape[:2])
    return encoded(pixels)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """(h, w, 3) as a PNG file: 8-bit RGB, no filter, one IDAT."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _fill(
    plot: NDArray[np.uint8],
    drawn: Sketch,
    band: tuple[NDArray[np.float64], NDArray[np.float64]],
    colour: Colour,
) -> None:
    """Paint a band column by column."""
    height, width = plot.shape[:2]
    x = drawn.x(drawn.ahead, width - 1)
    columns = np.arange(int(x[0]), width)
    low = np.interp(columns, x, drawn.y(band[0], height - 1))
    high = np.interp(columns, x, drawn.y(band[1], height - 1))
    for column, down, up in zip(columns, low, high, strict=True):
        plot[int(up) : int(down) + 1, column] = colour


def _line(
    plot: NDArray[np.uint8],
    drawn: Sketch,
    line: tuple[NDArray[np.float64], NDArray[np.float64]],
    colour: Colour,
) -> None:
    """Join the finite points, two pixels thick."""
    height, width = plot.shape[:2]
    known = np.isfinite(line[1])
    x = drawn.x(line[0], width - 1)
    y = drawn.y(np.where(known, line[1], drawn.edges[2]), height - 2)
    for at in np.flatnonzero(known[1:] & known[:-1]):
        steps = int(max(abs(x[at + 1] - x[at]), abs(y[at + 1] - y[at]))) + 2
        across = np.linspace(x[at], x[at + 1], steps).round().astype(np.int64)
        down = np.linspace(y[at], y[at + 1], steps).round().astype(np.int64)
        plot[down, across] = colour
        plot[down + 1, across] = colour


def _axes(pixels: NDArray[np.uint8], drawn: Sketch, size: tuple[int, ...]) -> None:
    left, right, bottom, top = drawn.edges
    height, width = size
    for share in (0.0, 0.5, 1.0):
        label = value_label(top + (bottom - top) * share)
        row = MARGIN[0] + int(share * (height - 1)) - 5
        _write(pixels, label, row, MARGIN[2] - 8 - 4 * SCALE * len(label))
        label = time_label(left + share * (right - left), right - left)
        column = MARGIN[2] + int(share * (width - 1)) - int(share * 4 * SCALE * len(label))
        _write(pixels, label, MARGIN[0] + height + 10, column)


def _write(pixels: NDArray[np.uint8], label: str, row: int, column: int) -> None:
    """Axis labels in a font of three by five dots."""
    for at, sign in enumerate(label):
        bits = np.array(
            [[int(octal) >> shift & 1 for shift in (2, 1, 0)] for octal in GLYPHS[sign]]
        )
        glyph = np.kron(bits, np.ones((SCALE, SCALE), dtype=np.int64)).astype(bool)
        where = column + at * 4 * SCALE
        pixels[row : row + glyph.shape[0], where : where + glyph.shape[1]][glyph] = PAST
