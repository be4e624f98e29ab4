"""A forecast as text for the terminal (Braille dots) and as SVG; both plain strings."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from opsmith.forecast.canvas import Sketch, past, sketch, time_label, value_label
from opsmith.nouns.forecast import Outlook
from opsmith.nouns.series import Series

# Bits of a Braille cell, by row (0..3) and column (0..1): Unicode, block U+2800.
BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
BLANK = 0x2800
ROWS = 14
LABEL = 10
PAST, MEDIAN, BAND80, BAND95, LIMIT = "#1f2937", "#1d4ed8", "#93c5fd", "#dbeafe", "#dc2626"


def text(outlook: Outlook, *, columns: int = 80) -> str:
    """A chart `columns` wide: past and median as lines, the 80 % band dotted, `|` is now."""
    drawn = sketch(outlook)
    width = max(20, columns - LABEL - 1)
    dots = _dotted(drawn, width)
    _dot_line(dots, drawn, drawn.ahead, drawn.median)
    for edge in drawn.band80:
        _dot_line(dots, drawn, drawn.ahead, edge, every=3)
    grid = _cells(dots)
    now = int(drawn.x(drawn.ahead[:1], width - 1)[0])
    for row in grid:
        row[now] = "│" if row[now] == chr(BLANK) else row[now]
    return "\n".join([drawn.title, *_labelled(grid, drawn), _time_axis(drawn, width)])


def history(
    series: Series, *, title: str, columns: int = 80, threshold: float | None = None
) -> str:
    """A chart of what a series was, `columns` wide; the threshold is dotted."""
    drawn = past(series, title=title, threshold=threshold)
    if drawn is None:
        return ""
    width = max(20, columns - LABEL - 1)
    grid = _cells(_dotted(drawn, width))
    return "\n".join([drawn.title, *_labelled(grid, drawn), _time_axis(drawn, width)])


def _dotted(drawn: Sketch, width: int) -> NDArray[np.bool_]:
    """The dots of the past and of the threshold."""
    dots = np.zeros((4 * ROWS, 2 * width), dtype=bool)
    _dot_line(dots, drawn, *drawn.past)
    if drawn.threshold is not None:
        ends = np.array([drawn.edges[0], drawn.edges[1]])
        _dot_line(dots, drawn, ends, np.full(2, drawn.threshold), every=4)
    return dots


def _cells(dots: NDArray[np.bool_]) -> list[list[str]]:
    """The dots as rows of Braille characters."""
    width = dots.shape[1] // 2
    cells = (dots.reshape(ROWS, 4, width, 2) * BRAILLE[None, :, None, :]).sum(axis=(1, 3))
    return [[chr(BLANK + int(cell)) for cell in row] for row in cells]


def svg(outlook: Outlook, *, width: int = 960, height: int = 360) -> str:
    """A self-contained SVG picture; labels are escaped, nothing is fetched or run."""
    drawn = sketch(outlook)
    inner = (width - 90.0, height - 70.0)
    shapes = [
        _polygon(drawn, drawn.band95, inner, BAND95),
        _polygon(drawn, drawn.band80, inner, BAND80),
        *_polylines(drawn, drawn.past, inner, PAST),
        *_polylines(drawn, (drawn.ahead, drawn.median), inner, MEDIAN),
    ]
    if drawn.threshold is not None:
        y = float(drawn.y(np.array([drawn.threshold]), inner[1])[0])
        shapes.append(
            f'<line x1="0" x2="{inner[0]:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LIMIT}" '
            'stroke-dasharray="6 4"/>'
        )
    now = float(drawn.x(drawn.ahead[:1], inner[0])[0])
    shapes.append(
        f'<line x1="{now:.1f}" x2="{now:.1f}" y1="0" y2="{inner[1]:.1f}" stroke="#9ca3af"/>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
            ' font-family="sans-serif" font-size="12" role="img">',
            f"<title>Forecast of {escape(drawn.title)}</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="70" y="20" font-size="14">{escape(drawn.title)}</text>',
            '<g transform="translate(70 34)">',
            *shapes,
            *_svg_axes(drawn, inner),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _dot_line(
    dots: NDArray[np.bool_],
    drawn: Sketch,
    times_s: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    every: int = 1,
) -> None:
    """Join the finite points with dots; `every` keeps one in so many."""
    height, width = dots.shape
    known = np.isfinite(values)
    x = drawn.x(times_s, width - 1)
    y = drawn.y(np.where(known, values, drawn.edges[2]), height - 1)
    for at in range(1, values.size):
        if known[at - 1] and known[at]:
            steps = max(2, int(max(abs(x[at] - x[at - 1]), abs(y[at] - y[at - 1]))) + 1)
            along = np.linspace(x[at - 1], x[at], steps).round().astype(np.int64)
            down = np.linspace(y[at - 1], y[at], steps).round().astype(np.int64)
            kept = along % every == 0
            dots[down[kept], along[kept]] = True


def _labelled(grid: list[list[str]], drawn: Sketch) -> list[str]:
    _, _, bottom, top = drawn.edges
    lines = []
    for at, row in enumerate(grid):
        share = at / (ROWS - 1)
        label = value_label(top + (bottom - top) * share) if at in (0, ROWS // 2, ROWS - 1) else ""
        lines.append(f"{label:>{LABEL - 1}} ┤{''.join(row)}".rstrip(chr(BLANK)))
    return lines


def _time_axis(drawn: Sketch, width: int) -> str:
    left, right, _, _ = drawn.edges
    first, last = time_label(left, right - left), time_label(right, right - left)
    line = [" "] * (width + len(last))
    labels = [(0, first), (width - len(last), last)]
    if drawn.ahead.size:
        now = time_label(float(drawn.ahead[0]), right - left)
        at = int(drawn.x(drawn.ahead[:1], width - 1)[0])
        labels.insert(1, (at - len(now) // 2, now))
    for where, label in labels:
        line[where : where + len(label)] = label
    return " " * (LABEL + 1) + "".join(line[:width]).rstrip()


def _polygon(
    drawn: Sketch,
    band: tuple[NDArray[np.float64], NDArray[np.float64]],
    inner: tuple[float, float],
    fill: str,
) -> str:
    x = drawn.x(drawn.ahead, inner[0])
    low, high = drawn.y(band[0], inner[1]), drawn.y(band[1], inner[1])
    points = _points(np.append(x, x[::-1]), np.append(high, low[::-1]))
    return f'<polygon points="{points}" fill="{fill}"/>'


def _polylines(
    drawn: Sketch,
    line: tuple[NDArray[np.float64], NDArray[np.float64]],
    inner: tuple[float, float],
    stroke: str,
) -> list[str]:
    """One polyline for each stretch without a gap."""
    x, known = drawn.x(line[0], inner[0]), np.isfinite(line[1])
    y = drawn.y(np.where(known, line[1], drawn.edges[2]), inner[1])
    breaks = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    stretches = np.split(np.arange(known.size), breaks)
    return [
        f'<polyline points="{_points(x[one], y[one])}" fill="none" stroke="{stroke}" '
        'stroke-width="1.5"/>'
        for one in stretches
        if known[one[0]]
    ]


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))


def _svg_axes(drawn: Sketch, inner: tuple[float, float]) -> list[str]:
    left, right, bottom, top = drawn.edges
    out = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y, value = share * inner[1], top + (bottom - top) * share
        out.append(f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{value_label(value)}</text>')
        at = time_label(left + share * (right - left), right - left)
        x = share * inner[0]
        out.append(f'<text x="{x:.1f}" y="{inner[1] + 18:.1f}" text-anchor="middle">{at}</text>')
    return out
