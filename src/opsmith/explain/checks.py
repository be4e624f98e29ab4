"""Checks: what to look at next, as commands that can be copied; a hostile name cannot act in them.

Names are quoted for a POSIX shell, and a name that is used as an argument of its own must be a
plain word, so that it can be neither an option nor a selector with a syntax of its own.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from opsmith.explain.story import Check
from opsmith.explain.words import clean, name
from opsmith.nouns.diagnosis import Cause, Diagnosis, Status
from opsmith.nouns.entity import Entity
from opsmith.nouns.recording import Recording, Window
from opsmith.nouns.series import MetricKind, Series

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_PROMETHEUS_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PROMETHEUS_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_BLANK = re.compile(r"\{(name|caller|callee|since|since_rfc3339)\}")
_SERVER = '"${PROMETHEUS_URL:-http://localhost:9090}"'
_LEAD = timedelta(minutes=10)
_MOST_METRICS = 2
_MOST_OF_ONE = 8
_MOST_OF_MANY = 3
_GUESSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    causes: frozenset[str]
    entities: frozenset[str]
    why: str
    command: str

    def fits(self, cause: Cause) -> bool:
        kinds, types = self.causes & {"*", cause.kind}, self.entities & {"*", cause.entity.kind}
        return bool(kinds and types)


def checks(
    diagnosis: Diagnosis, recording: Recording, series: dict[str, Series]
) -> tuple[Check, ...]:
    """Checks of the cause, or a few of each of the best guesses when the answer is open."""
    if diagnosis.status is Status.DIAGNOSED:
        found = _checks_of(diagnosis, recording, series)[:1]
        return tuple(check for group in found for check in group[:_MOST_OF_ONE])
    guesses = _checks_of(diagnosis, recording, series)[:_GUESSES]
    return tuple(
        Check(why=f"{name(cause.entity)}: {check.why}", command=check.command)
        for cause, group in zip(diagnosis.causes, guesses, strict=False)
        for check in group[:_MOST_OF_MANY]
    )


def promql(series: Series) -> str:
    """The PromQL expression that shows a series again: itself, or the rate of a counter."""
    matchers = [
        f'{label}="{_escaped(value)}"'
        for label, value in series.labels
        if _PROMETHEUS_LABEL.fullmatch(label)
    ]
    known = _PROMETHEUS_NAME.fullmatch(series.name)
    metric = series.name if known else ""
    if not known:
        matchers.insert(0, f'__name__="{_escaped(series.name)}"')
    selector = f"{metric}{{{','.join(matchers)}}}" if matchers else metric
    return f"rate({selector}[5m])" if series.kind is MetricKind.COUNTER else selector


def _checks_of(
    diagnosis: Diagnosis, recording: Recording, series: dict[str, Series]
) -> list[list[Check]]:
    window = _span(diagnosis, recording)
    return [
        [*_metric_checks(cause, series, window), *_rule_checks(cause, window)]
        for cause in diagnosis.causes
    ]


def _span(diagnosis: Diagnosis, recording: Recording) -> Window | None:
    """From a little before the onset to the end of the incident."""
    start = diagnosis.onset or (recording.window.start if recording.window else None)
    if start is None:
        return None
    end = recording.window.end if recording.window else start + 3 * _LEAD
    return Window(start=start - _LEAD, end=max(end, start + _LEAD))


def _metric_checks(cause: Cause, series: dict[str, Series], window: Window | None) -> list[Check]:
    keys = dict.fromkeys(key for fact in cause.evidence for key in fact.series if key in series)
    return [
        Check(
            why=f"Does {clean(key, longest=80)} still look as in this report?",
            command=_range_query(promql(series[key]), window),
        )
        for key in list(keys)[:_MOST_METRICS]
    ]


def _range_query(expression: str, window: Window | None) -> str:
    quoted = shlex.quote(_visible(expression))
    if window is None:
        return f"promtool query instant {_SERVER} {quoted}"
    start, end = int(window.start.timestamp()), int(window.end.timestamp())
    return f"promtool query range --start={start} --end={end} --step=15s {_SERVER} {quoted}"


def _rule_checks(cause: Cause, window: Window | None) -> list[Check]:
    blanks = _blanks(cause.entity, window)
    return [
        Check(why=rule.why, command=_BLANK.sub(lambda blank: blanks[blank[1]], rule.command))
        for rule in _rules()
        if rule.fits(cause) and set(_BLANK.findall(rule.command)) <= set(blanks)
    ]


def _blanks(entity: Entity, window: Window | None) -> dict[str, str]:
    """What the blanks of a command are filled with; a name that is no plain word is left out."""
    ends = entity.ends
    names = {"caller": ends[0], "callee": ends[1]} if ends else {"name": entity.name}
    blanks = {
        blank: shlex.quote(word) for blank, word in names.items() if _PLAIN_NAME.fullmatch(word)
    }
    if window is not None:
        start = window.start.astimezone(UTC)
        blanks["since"] = shlex.quote(f"{start:%Y-%m-%d %H:%M:%S} UTC")
        blanks["since_rfc3339"] = shlex.quote(_rfc3339(start))
    return blanks


def _rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


@cache
def _rules() -> tuple[_Rule, ...]:
    text = files("opsmith.explain").joinpath("checks.toml").read_text(encoding="utf-8")
    return tuple(
        _Rule(
            causes=frozenset(row["causes"]),
            entities=frozenset(row["entities"]),
            why=row["why"],
            command=row["command"],
        )
        for row in tomllib.loads(text)["check"]
    )


def _escaped(value: str) -> str:
    """A label value inside PromQL's double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _visible(text: str) -> str:
    """Without characters that print nothing: a terminal would act on them when pasted."""
    return "".join(char if char.isprintable() else "?" for char in text)
