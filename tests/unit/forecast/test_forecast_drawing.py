"""Pictures of forecasts: characters, SVG and PNG."""

import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
from made_for_forecasts import series, wave

from opsmith.forecast import drawing, picture
from opsmith.forecast.breach import time_to_breach
from opsmith.forecast.canvas import sketch, time_label
from opsmith.forecast.predict import forecast
from opsmith.nouns.forecast import Outlook


def outlook(values: np.ndarray | None = None, threshold: float | None = 15.0) -> Outlook:
    y = wave(24 * 12) if values is None else values
    made = forecast(series(y), horizon_s=86_400.0, without=frozenset({"gaussian process"}))
    breach = None if threshold is None else time_to_breach(made, threshold)
    return Outlook(forecast=made, breach=breach, said=())


def test_the_chart_has_its_width_its_title_and_its_edges() -> None:
    shown = outlook()

    lines = drawing.text(shown, columns=70).splitlines()

    assert lines[0] == 'm{job="a<b>"}'
    assert all(len(line) <= 70 + 6 for line in lines[1:])
    assert lines[1].lstrip().startswith("15")
    assert any("│" in line for line in lines)


def test_the_svg_is_well_formed_and_labels_are_escaped() -> None:
    y = wave(24 * 12)
    y[-30:-20] = np.nan

    root = ET.fromstring(drawing.svg(outlook(y)))  # noqa: S314 - our own output

    names = [element.tag.rsplit("}", 1)[1] for element in root.iter()]
    assert names.count("polygon") == 2
    assert names.count("polyline") == 3
    assert "script" not in names
    assert "a<b>" in "".join(root.itertext())


def test_the_png_decodes_to_the_size_and_colours_that_were_drawn() -> None:
    data = picture.png(outlook(), width=320, height=200)

    assert data.startswith(picture.SIGNATURE)
    assert struct.unpack(">II", data[16:24]) == (320, 200)
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8 : start - 4])[0]
    rows = np.frombuffer(zlib.decompress(data[start : start + length]), np.uint8)
    pixels = rows.reshape(200, 1 + 3 * 320)[:, 1:].reshape(-1, 3)
    colours = {tuple(int(v) for v in pixel) for pixel in np.unique(pixels, axis=0)}
    assert {picture.PAST, picture.MEDIAN, picture.BAND80, picture.LIMIT} <= colours


def test_a_flat_series_without_a_threshold_has_room_around_it() -> None:
    shown = outlook(np.full(200, 5.0), threshold=None)

    edges = sketch(shown).edges

    assert edges[2] < 5.0 < edges[3]
    assert "<line" in drawing.svg(shown)
    assert picture.png(shown)


def test_times_show_the_day_only_where_it_matters() -> None:
    assert time_label(0.0, 3600.0) == "00:00"
    assert time_label(0.0, 1e6) == "01-01 00:00"
