"""Figures for a person, and thresholds in the unit of a figure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from opsmith.errors import BadInput

_THRESHOLD = re.compile(r"(>=|<=|>|<|=)(-?\d+(?:\.\d+)?)\s*([a-zA-Z%/]*)")
_BYTES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_BYTE_UNIT = re.compile(r"([kmgt]?)(i?)b(?:/s|ps)?", re.IGNORECASE)
_TIMES = {"ms": 1e-3, "s": 1.0, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3600.0}
_PREFIXES = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_BYTES_TOP = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A bound in the unit of the figure it is compared with."""

    sign: str
    value: float

    def passed_by(self, value: float) -> bool:
        """Whether a value is beyond it."""
        return {
            ">": value > self.value,
            ">=": value >= self.value,
            "<": value < self.value,
            "<=": value <= self.value,
            "=": value == self.value,
        }[self.sign]

    @property
    def upward(self) -> bool:
        """Whether larger values are beyond it."""
        return self.sign.startswith(">")


def threshold_of(text: str, unit: str) -> Threshold:
    """Read `>800ms` for a figure in `unit`. Raises `BadInput` when the units do not go together.

    A number without a unit is in the unit people use: percent for a ratio above 1, milliseconds
    for a latency of 10 and more.

    >>> threshold_of(">800ms", "seconds").value, threshold_of(">85%", "ratio").value
    (0.8, 0.85)
    """
    found = _THRESHOLD.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text[:40]!r} is no threshold.")
    sign, number, said = found[1], float(found[2]), found[3]
    value = _plain(number, unit) if not said else _scaled(number, said, unit)
    if value is None:
        raise BadInput(
            f"The threshold {text[:40]!r} cannot be compared with a figure in {unit}.",
            hint="Give it in the unit of the figure.",
        )
    return Threshold(sign=sign, value=value)


def shown(value: float, unit: str) -> str:
    """A figure for a person.

    >>> shown(0.0421, "ratio"), shown(0.85, "seconds"), shown(2e9, "bytes"), shown(12.0, "count")
    ('4.21 %', '850 ms', '1.86 GiB', '12')
    """
    if unit in ("bytes", "bytes_per_second"):
        return _bytes(value) + ("/s" if unit == "bytes_per_second" else "")
    if unit == "seconds":
        return _seconds(value)
    factor, suffix = {
        "ratio": (100.0, " %"),
        "percent": (1.0, " %"),
        "milliseconds": (1.0, " ms"),
        "per_second": (1.0, "/s"),
        "cores": (1.0, " cores"),
    }.get(unit, (1.0, ""))
    return f"{_digits(value * factor)}{suffix}"


def _seconds(value: float) -> str:
    if abs(value) < 1.0:
        return f"{_digits(value * 1e3)} ms"
    return f"{_digits(value)} s"


def _bytes(value: float) -> str:
    power = 0
    while abs(value) >= _BYTES_TOP and power < len(_PREFIXES) - 1:
        value, power = value / _BYTES_TOP, power + 1
    return f"{_digits(value)} {_PREFIXES[power]}B"


def _digits(value: float) -> str:
    """Three significant digits, never in powers of ten below a million."""
    if value == round(value) and abs(value) < 1e6:  # noqa: PLR2004 - seven digits are read at once
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}"  # noqa: PLR2004 - as above


def _plain(number: float, unit: str) -> float:
    if unit == "ratio" and number > 1.0:
        return number / 100.0
    if unit == "seconds" and number >= 10.0:  # noqa: PLR2004 - nobody means ten seconds bare
        return number / 1e3
    return number


def _scaled(number: float, said: str, unit: str) -> float | None:
    if said == "%":
        return {"ratio": number / 100.0, "percent": number}.get(unit)
    if unit in ("seconds", "milliseconds") and said.lower() in _TIMES:
        return number * _TIMES[said.lower()] * (1e3 if unit == "milliseconds" else 1.0)
    size = _BYTE_UNIT.fullmatch(said)
    if size and unit in ("bytes", "bytes_per_second"):
        return float(number * (1024 if size[2] else 1000) ** _BYTES[size[1].lower()])
    if unit in ("count", "per_second") and said.lower() in ("qps", "rps", "/s"):
        return number
    return None
