"""Maintenance: what is worked on when, so that its alerts are written down and wake nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from opsmith.errors import BadInput
from opsmith.nouns.signals import Alert

# The alert's entity, as `service:cart`, beside the labels that it came with.
ENTITY = "entity"
LONGEST_VALUE = 200
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on an alert, as Alertmanager writes it; an absent label is the empty value."""

    label: str
    operator: str
    value: str

    def __post_init__(self) -> None:
        if len(self.value) > LONGEST_VALUE:
            raise BadInput(f"A matcher's value has at most {LONGEST_VALUE} characters.")
        if self.operator.endswith("~"):
            try:
                re.compile(self.value)
            except re.error as error:
                raise BadInput(f"{self.value[:80]!r} is no pattern: {error}.") from error

    def __str__(self) -> str:
        return f"{self.label}{self.operator}{self.value}"

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Read `label=value`, `!=`, `=~`, `!~`, or `TYPE:NAME` for an entity.

        >>> str(Matcher.parse("service:cart")), str(Matcher.parse('severity =~ "warn.*"'))
        ('entity=service:cart', 'severity=~warn.*')
        """
        found = _MATCHER.fullmatch(text)
        if found is not None:
            value = found[3]
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            return cls(label=found[1], operator=found[2], value=value[1:-1] if quoted else value)
        if ":" in text and "=" not in text:
            return cls(label=ENTITY, operator="=", value=text.strip())
        raise BadInput(
            f"{text[:80]!r} selects no alerts.",
            hint="Write label=value, label=~pattern, service:cart.",
        )

    def fits(self, alert: Alert) -> bool:
        """Whether the alert meets the condition."""
        known = {**dict(alert.labels), ENTITY: str(alert.entity), "alertname": alert.name}
        value = known.get(self.label, "")
        if self.operator.endswith("~"):
            return (re.fullmatch(self.value, value) is not None) is (self.operator == "=~")
        return (value == self.value) is (self.operator == "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which the alerts that fit all matchers open no incident.

    starts_at, ends_at: UTC-aware, the end not included. by: who set it; why: for people.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    by: str
    why: str = ""

    def __post_init__(self) -> None:
        if not self.matchers:
            raise BadInput("A maintenance window says which alerts it is about.")
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise BadInput("A maintenance window's times come with their zone.")

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether the alert is to wake nobody now."""
        return self.starts_at <= now < self.ends_at and all(m.fits(alert) for m in self.matchers)
