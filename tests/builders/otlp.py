"""OTLP/JSON as an exporter writes it."""

import json
from pathlib import Path

T0 = 1_767_225_600  # 2026-01-01T00:00:00Z


def attributes(**told: object) -> list[dict[str, object]]:
    """Keys with `__` for a dot; values as `AnyValue`."""
    return [{"key": key.replace("__", "."), "value": any_value(told[key])} for key in told]


def any_value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value}


def span(
    trace: int, number: int, parent: int = 0, *, at: float = 0.0, s: float = 0.1, **more: object
) -> dict[str, object]:
    start = round((T0 + at) * 1e9)
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": f"op-{number}",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + round(s * 1e9)),
        **more,
    }


def traces(service: str, *spans: dict[str, object], **resource: object) -> dict[str, object]:
    told = attributes(service__name=service, **resource) if service else attributes(**resource)
    return {
        "resourceSpans": [
            {"resource": {"attributes": told}, "scopeSpans": [{"spans": list(spans)}]}
        ]
    }


def record(
    text: str, *, at: float = 0.0, severity: object = 9, **more: object
) -> dict[str, object]:
    return {
        "timeUnixNano": str(round((T0 + at) * 1e9)),
        "severityNumber": severity,
        "body": {"stringValue": text},
        **more,
    }


def logs(
    service: str, *records: dict[str, object], scope: str = "", **resource: object
) -> dict[str, object]:
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes(service__name=service, **resource)},
                "scopeLogs": [{"scope": {"name": scope}, "logRecords": list(records)}],
            }
        ]
    }


def written(path: Path, *requests: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in requests), encoding="utf-8")
    return path
