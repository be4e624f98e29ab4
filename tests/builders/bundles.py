"""Bundles written by hand, small enough to read."""

import json
from datetime import UTC, datetime
from pathlib import Path

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
_RISE_AT_S = 900


def write_bundle(folder: Path, *, name: str = "pool", alerting: str = "frontend") -> Path:
    """Half an hour of a shop whose database runs out of connections after a quarter."""
    folder.mkdir(parents=True, exist_ok=True)
    start = START.timestamp()
    lines = ["# TYPE db_client_connections_used gauge"]
    for step in range(0, 1800, 15):
        value = 100 if step >= _RISE_AT_S else 10 + step % 3
        lines.append(f'db_client_connections_used{{service="orders"}} {value} {start + step}')
    lines.append("# TYPE http_server_requests_in_flight gauge")
    for step in range(0, 1800, 15):
        value = 2 + step % 2
        lines.append(f'http_server_requests_in_flight{{service="cart"}} {value} {start + step}')
    (folder / "metrics.om").write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
    (folder / "topology.json").write_text(json.dumps(_topology(alerting)), encoding="utf-8")
    (folder / "alerts.json").write_text(json.dumps(_alert(alerting)), encoding="utf-8")
    (folder / "incident.yaml").write_text(
        f"version: 1\nname: {json.dumps(name)}\n"
        f"window: {{start: 2026-03-01T03:15:00Z, end: 2026-03-01T03:30:00Z}}\n"
        f"alerting: [{json.dumps('service:' + alerting)}]\n",
        encoding="utf-8",
    )
    return folder


def _topology(alerting: str) -> dict[str, object]:
    names = [f"service:{one}" for one in (alerting, "cart", "orders")]
    return {
        "version": 1,
        "entities": names,
        "edges": [
            {"source": names[0], "target": names[1], "kind": "calls"},
            {"source": names[0], "target": names[2], "kind": "calls"},
        ],
    }


def _alert(alerting: str) -> dict[str, object]:
    labels = {"alertname": "FrontendSlow", "service": alerting, "severity": "critical"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "slow"},
        "startsAt": "2026-03-01T03:16:30Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "0011223344556677",
    }
    return {"version": "4", "status": "firing", "alerts": [alert]}
