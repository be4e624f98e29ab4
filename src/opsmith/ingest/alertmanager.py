"""Alerts: Alertmanager's webhook JSON, version 4, one object or a list of them.

Source: Prometheus documentation, Alertmanager "Configuration", <webhook_config>.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson

from opsmith.errors import BadAnswer, BadInput
from opsmith.ingest import label_rules, metric_names
from opsmith.ingest.files import document
from opsmith.ingest.json_door import fields, instant, items, pairs, text
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.entity import LONGEST_NAME, Entity, EntityKind
from opsmith.nouns.redaction import redact_pairs
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction

_SOURCES = frozenset(map(str, AlertSource))
_DIRECTIONS = frozenset(map(str, Direction))
_ASPECTS = frozenset(map(str, Aspect))
_LONGEST_EXPRESSION = 4096
# What is neither a metric nor a comparison: strings, selectors, ranges, groupings.
_ASIDE = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|\[[^\]]*\]"
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
)
_COMPARED = re.compile(r"(<=?|>=?)")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w*\s*\()")
# Words of PromQL that are no metric.
_WORDS = frozenset(
    [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "offset",
        "inf",
        "nan",
        "atan2",
        "sum",
        "avg",
        "min",
        "max",
        "count",
        "topk",
        "bottomk",
        "quantile",
        "stddev",
        "stdvar",
        "group",
        "le",
    ]
)


def read(path: Path, naming: Naming, losses: Losses) -> tuple[Alert, ...]:
    """All alerts of a file; notices of one alert (firing, then resolved) are one."""
    try:
        told: object = orjson.loads(document(path, "alerts", losses))
    except orjson.JSONDecodeError as error:
        losses.note("alerts", f"{path.name}:{error.lineno}: not JSON ({error.msg}); not used.")
        return ()
    merged: dict[tuple[str, datetime | None], Alert] = {}
    for place, value in _told(told):
        alert = _alert(value, naming)
        if alert is None:
            what = "an alert whose labels name no entity; dropped."
            losses.count("alerts", f"{path.name} {place}", 1, what)
            continue
        before = merged.get((alert.fingerprint, alert.starts_at))
        ends = [one.ends_at for one in (before, alert) if one is not None and one.ends_at]
        key = (alert.fingerprint, alert.starts_at)
        merged[key] = replace(alert, ends_at=max(ends, default=None))
    return tuple(merged.values())


def from_webhook(body: bytes) -> tuple[Alert, ...]:
    """The alerts of one notification, each as it was sent; none is dropped.

    An alert whose labels name no entity is about `external:` its own name.
    Raises `BadInput` when the body is no notification of Alertmanager's webhook, version 4.
    """
    try:
        told = fields(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise BadInput(f"The notification is not JSON: {error.msg}.") from error
    if told.get("version") != "4" or not isinstance(told.get("alerts"), list):
        raise BadInput(
            "This is no notification of Alertmanager's webhook, version 4.",
            hint="Point a `webhook_configs` receiver at this address.",
        )
    naming = Naming()
    return tuple(_kept(alert, naming) for _, alert in _told(told))


def from_api(body: bytes) -> tuple[Alert, ...]:
    """The alerts that Alertmanager's API (version 2) says fire now.

    Raises `BadAnswer` when the body is no list of alerts.
    """
    try:
        told: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"Alertmanager answered no JSON: {error.msg}.") from error
    if not isinstance(told, list):
        raise BadAnswer("Alertmanager answered no list of alerts.")
    naming = Naming()
    # An active alert's endsAt is when it would end by silence, not when it ended.
    return tuple(_kept({**fields(one), "status": "firing"}, naming) for one in told)


def _kept(told: Mapping[str, object], naming: Naming) -> Alert:
    alert = _alert(told, naming)
    if alert is not None:
        return alert
    labels = dict(pairs(told.get("labels")))
    name = "".join(mark for mark in labels.get("alertname", "") if mark.isprintable())
    nobody = Entity(kind=EntityKind.EXTERNAL, name=name[:LONGEST_NAME] or "unnamed alert")
    stated = {**labels, "entity": str(nobody)}
    known = _alert({**told, "labels": stated}, naming)
    if known is None:
        raise BadInput("An alert could not be read.")
    return replace(known, labels=_shown(labels))


def _told(value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each alert with its place in the file: of webhook objects or a bare list."""
    for number, message in enumerate(items(value) or (value,)):
        payload = fields(message)
        if "alerts" not in payload:
            if "labels" in payload:
                yield f"[{number}]", payload
            continue
        for row, alert in enumerate(items(payload.get("alerts"))):
            yield f"[{number}].alerts[{row}]", fields(alert)


def _alert(told: Mapping[str, object], naming: Naming) -> Alert | None:
    labels = dict(pairs(told.get("labels")))
    notes = dict(pairs(told.get("annotations")))
    entity, caller = _whom(labels, naming)
    if entity is None:
        return None
    expression = _expression(text(told.get("generatorURL")))
    name = labels.get("alertname", "")
    metric = labels.get("metric") or labels.get("__name__") or _metric(expression) or name
    ends = instant(told.get("endsAt"))
    firing = told.get("status") == "firing" or ends is None or ends.year <= 1
    return Alert(
        fingerprint=text(told.get("fingerprint")) or _fingerprint(labels),
        name=name,
        entity=entity,
        source=AlertSource(_known(labels, ("source_type", "signal"), _SOURCES, "metric")),
        aspect=_aspect(labels, metric, name),
        direction=Direction(_direction(labels, expression)),
        metric=metric,
        severity=labels.get("severity", ""),
        starts_at=instant(told.get("startsAt")),
        ends_at=None if firing else ends,
        caller=caller,
        count=_count(labels, notes),
        labels=_shown(labels),
        annotations=_shown(notes),
    )


def _whom(labels: Mapping[str, str], naming: Naming) -> tuple[Entity | None, Entity | None]:
    """Who suffers, and the caller when the alert is about a call."""
    stated = naming.parse(labels.get("entity", ""))
    if stated is not None:
        return stated, naming.parse(labels.get("caller_entity", ""))
    called = label_rules.call(labels, naming)
    if called is not None:
        return called[1], called[0]
    entity, service = label_rules.owner(labels.get("metric", ""), labels, naming)
    # Alerts of a service carry the instance that was scraped; the service is what people watch.
    return service or entity, None


def _aspect(labels: Mapping[str, str], metric: str, name: str) -> Aspect:
    stated = labels.get("aspect", "")
    if stated in _ASPECTS:
        return Aspect(stated)
    found = metric_names.aspect(name)
    return found if found is not Aspect.OTHER else metric_names.aspect(metric)


def _direction(labels: Mapping[str, str], expression: str) -> str:
    stated = labels.get("direction", "")
    if stated in _DIRECTIONS:
        return stated
    compared = _COMPARED.search(_ASIDE.sub(" ", expression))
    if compared is None:
        return str(Direction.NONE)
    return str(Direction.UP if compared[0].startswith(">") else Direction.DOWN)


def _expression(url: str) -> str:
    """The PromQL of a generatorURL, as Prometheus writes it: `...?g0.expr=...`."""
    try:
        found = parse_qs(urlsplit(url).query).get("g0.expr", [""])
    except ValueError:
        return ""
    return found[0][:_LONGEST_EXPRESSION]


def _metric(expression: str) -> str:
    names = _NAME.findall(_ASIDE.sub(" ", expression))
    return next((name for name in names if name.lower() not in _WORDS), "")


def _count(labels: Mapping[str, str], notes: Mapping[str, str]) -> int:
    told = notes.get("count") or labels.get("count") or "1"
    return max(int(told), 1) if told.isdecimal() and len(told) <= 9 else 1  # noqa: PLR2004 - digits


def _known(
    labels: Mapping[str, str], names: tuple[str, ...], allowed: frozenset[str], default: str
) -> str:
    return next((labels[name] for name in names if labels.get(name) in allowed), default)


def _fingerprint(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))[:512]


def _shown(told: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return redact_pairs(sorted(told.items()))
