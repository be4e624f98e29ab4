"""Words: how times, figures, confidence and a stranger's text are written for a person."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from opsmith.nouns.cause import MEANING, CauseKind
from opsmith.nouns.entity import Entity
from opsmith.nouns.redaction import redact, redact_name
from opsmith.nouns.series import Unit

LONGEST_TEXT = 400
# Chances below these bounds are written with these words (Kent, 1964, folded to four).
_CHANCE_WORDS = ((0.5, "uncertain"), (0.75, "likely"), (0.93, "very likely"))
_BINARY_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


def clean(text: str, *, longest: int = LONGEST_TEXT) -> str:
    r"""A stranger's text made fit to be shown on one line.

    Secrets are redacted, characters that print nothing (terminal escapes, line breaks, marks that
    turn the reading direction) are written as `\xNN` or `\uNNNN`, and the rest is cut short.
    """
    # A secret that the cut would halve is still whole here; far beyond the cut nothing is read.
    visible = _visible(redact(text[: 4 * longest]))
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def name(entity: Entity) -> str:
    """An entity as `TYPE:NAME`, whole, for others join on it."""
    return redact_name(str(entity))


def title(text: str) -> str:
    """The name of an incident: visible, and whole unless a secret is in it."""
    return _visible(redact_name(text))


def when(at: datetime) -> str:
    """The day and the time, always in UTC: `2026-03-01 03:12:40 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(at: datetime) -> str:
    """The time alone, in UTC: `03:12:40`."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def offset(seconds: float) -> str:
    """How long before (−) or after (+) a mark: `+40 s`, `−2 min 5 s`, `+1 h 3 min`."""
    whole = round(abs(seconds))
    sign = "−" if seconds < 0 and whole else "+"
    return f"{sign}{span(whole)}" if whole else "0 s"


def span(seconds: int) -> str:
    """A length of time in its two largest units."""
    steps = ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s"))
    parts: list[str] = []
    for size, unit in steps:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def figure(value: float, unit: str) -> str:
    """A value with its unit, three significant digits: `840 ms`, `12 %`, `1.4 GiB`, `31/s`."""
    if not math.isfinite(value):
        return "no value"
    if unit in {Unit.BYTES, Unit.BYTES_PER_SECOND}:
        return _binary(value) + ("/s" if unit == Unit.BYTES_PER_SECOND else "")
    if unit in {Unit.SECONDS, "s"}:
        return _seconds(value)
    if unit == Unit.RATIO:
        return f"{_digits(100 * value)} %"
    if unit in {Unit.PER_SECOND, "1/s"}:
        return f"{_digits(value)}/s"
    known = unit in {"", Unit.COUNT, Unit.UNKNOWN}
    return _digits(value) if known else f"{_digits(value)} {clean(unit, longest=24)}"


def percent(chance: float) -> str:
    """A probability for a person; certainty is not claimed unless it is exact.

    >>> percent(0.874), percent(0.9999), percent(0.001)
    ('87 %', 'over 99 %', 'under 1 %')
    """
    whole = round(100 * chance)
    if whole == 100 and chance < 1:  # noqa: PLR2004 - per cent
        return "over 99 %"
    if whole == 0 and chance > 0:
        return "under 1 %"
    return f"{whole} %"


def chance_word(chance: float) -> str:
    """A probability as a word, beside its figure and never without it."""
    return next((word for bound, word in _CHANCE_WORDS if chance < bound), "almost certain")


def meaning(kind: CauseKind) -> str:
    """A cause kind in plain words, as a clause about the component."""
    return MEANING[kind]


def counted(count: int, thing: str) -> str:
    """A count with its noun: `1 alert`, `3 alerts`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def joined(items: tuple[str, ...], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:  # noqa: PLR2004 - one or none needs no word between
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def sentence(text: str) -> str:
    """The text with a full stop at its end; its first word may be a name and stays as it is."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - two hexadecimal digits hold it
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four do


def _binary(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY_STEPS) - 1:  # noqa: PLR2004 - KiB is 1024 B
        value, step = value / 1024, step + 1
    return f"{_digits(value)} {_BINARY_STEPS[step]}"


def _seconds(value: float) -> str:
    size = abs(value)
    if size >= 2 * _MINUTE_S:
        return ("−" if value < 0 else "") + span(round(size))
    if size >= 1 or size == 0:
        return f"{_digits(value)} s"
    return f"{_digits(1e3 * value)} ms" if size >= 1e-3 else f"{_digits(1e6 * value)} µs"  # noqa: PLR2004 - SI steps


def _digits(value: float) -> str:
    """Three significant digits, thousands parted, no exponent below a billion."""
    if value == 0:
        return "0"
    if abs(value) >= 1e9 or abs(value) < 1e-4:  # noqa: PLR2004 - beyond these an exponent reads better
        return f"{value:.2e}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
