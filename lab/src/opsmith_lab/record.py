"""record: from a running lab to an incident bundle, with the truth beside it, never inside.

The window and the reference come from the alerts alone, as they would in a shop whose faults
nobody ordered; only where the recording may begin is taken from when the last fault was over.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import yaml

from opsmith_lab import exposition, running, spools
from opsmith_lab.faults.table import FAULTS
from opsmith_lab.layout import SERVICES, STORES, Lab, edges, entity
from opsmith_lab.shop.process import as_object, rows_of

# What a page looks back on: the fault is assumed to begin within this time before its alert.
LOOK_BACK_S = 90.0
# After a start or a fault the shop needs a while until its rates and caches are itself again.
SETTLE_S = 30.0
LOOK_EVERY_S = 1.0
# Spans and log lines wait up to a second before they are written.
FLUSHED_S = 2.5
# A fault that ended longer ago than this is history; what is recorded is the shop of now.
FRESH = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to record: `folder` is made new, `truth` (a file of JSON lines) is appended to.

    history_s: how far to look back at most; keep: share of ordinary traces that are kept.
    """

    folder: Path
    truth: Path | None
    history_s: float
    keep: float


def record_incident(lab: Lab, wish: Wish) -> Iterator[str]:
    """Wait for the fault to end, then write the bundle; yields what a person wants to know."""
    if wish.folder.exists() and any(wish.folder.iterdir()):
        raise running.LabError(f"{wish.folder} is not empty; name a new folder.")
    yield from _wait_for_the_end(lab)
    record = rows_of(running.status(lab)["injections"])
    end = _end_of(record)
    time.sleep(FLUSHED_S)
    start = max(end - timedelta(seconds=wish.history_s), _calm_since(lab, record))
    notices = _notices(lab, (start, end))
    wish.folder.mkdir(parents=True, exist_ok=True)
    try:
        yield exposition.write(lab, wish.folder / "metrics.om.gz", start, end)
        yield spools.write_traces(lab, wish.folder / "traces.jsonl.gz", (start, end), wish.keep)
        yield spools.write_logs(lab, wish.folder / "logs.jsonl.gz", (start, end))
    except BaseException:
        shutil.rmtree(wish.folder)
        raise
    _write_json(wish.folder / "alerts.json", notices)
    _write_json(wish.folder / "topology.json", _topology())
    _write_changes(lab, wish.folder / "changes.jsonl", (start, end))
    _write_incident(wish.folder, (start, end), _firing(notices))
    fired = sorted({alert[0] for alert in _firing(notices)})
    yield f"alerts: {', '.join(fired) if fired else 'none fired, so there is no window'}"
    if wish.truth is not None:
        yield _write_truth(wish, record, fired)


def _wait_for_the_end(lab: Lab) -> Iterator[str]:
    told = False
    while True:
        open_ones = [
            one for one in rows_of(running.status(lab)["injections"]) if not one["ended_at"]
        ]
        if not open_ones:
            return
        if not told:
            yield f"waiting until {open_ones[-1]['fault']} on {open_ones[-1]['entity']} is over"
            told = True
        time.sleep(LOOK_EVERY_S)


def _end_of(record: list[dict[str, object]]) -> datetime:
    """Where the recording ends: when the last fault did, or now if none is fresh."""
    now = datetime.now(UTC)
    if not record:
        return now
    ended = datetime.fromisoformat(str(record[-1]["ended_at"]))
    return ended if now - ended < FRESH else now


def _calm_since(lab: Lab, record: list[dict[str, object]]) -> datetime:
    """When the shop was itself again after its start and after every fault but the last."""
    times = [datetime.fromtimestamp((lab.data / "lab.json").stat().st_mtime, UTC)]
    times += [datetime.fromisoformat(str(one["ended_at"])) for one in record[:-1]]
    return max(times) + timedelta(seconds=SETTLE_S)


def _notices(lab: Lab, span: tuple[datetime, datetime]) -> list[dict[str, object]]:
    """What Alertmanager sent, as it was received, of alerts that began in that time."""
    try:
        lines = (lab.data / "webhooks.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    kept = []
    for line in lines:
        payload = as_object(as_object(orjson.loads(line))["payload"])
        alerts = [
            one for one in rows_of(payload.get("alerts")) if span[0] <= _began(one) < span[1]
        ]
        if alerts:
            kept.append({**payload, "alerts": alerts})
    return kept


def _began(alert: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(alert["startsAt"]))


def _firing(notices: list[dict[str, object]]) -> list[tuple[str, str, datetime]]:
    """Name, service and start of each alert that pages somebody."""
    return [
        (str(labels["alertname"]), str(labels.get("service", "")), _began(alert))
        for notice in notices
        for alert in rows_of(notice.get("alerts"))
        if (labels := as_object(alert["labels"])).get("severity") == "page"
    ]


def _topology() -> dict[str, object]:
    calls = [
        {"source": entity(caller), "target": entity(callee), "kind": "calls"}
        for caller, callee in edges()
        if (caller, callee) != ("notifier", "orders")
    ]
    # The queue hands its messages to the worker: what the worker does comes after the queue.
    calls.append({"source": "queue:orders", "target": "service:notifier", "kind": "calls"})
    hosted = [
        {"source": entity(name), "target": "host:lab-host", "kind": "runs_on"}
        for name in (*SERVICES, *STORES)
    ]
    names = [*map(entity, (*SERVICES, *STORES)), "host:lab-host"]
    return {"entities": names, "edges": [*calls, *hosted]}


def _write_changes(lab: Lab, path: Path, span: tuple[datetime, datetime]) -> None:
    try:
        lines = (lab.data / "changes.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    events = [as_object(orjson.loads(line)) for line in lines]
    kept = [one for one in events if span[0] <= datetime.fromisoformat(str(one["at"])) < span[1]]
    if kept:
        path.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in kept))


def _write_incident(
    folder: Path, span: tuple[datetime, datetime], firing: list[tuple[str, str, datetime]]
) -> None:
    start, end = span
    incident: dict[str, object] = {"version": 1, "name": folder.name}
    if firing:
        first = min(at for _, _, at in firing)
        begin = max(first - timedelta(seconds=LOOK_BACK_S), start + (first - start) / 2)
        incident["title"] = f"{min(firing, key=lambda alert: alert[2])[0]} in the shop"
        incident["window"] = {"start": begin.isoformat(), "end": end.isoformat()}
        incident["reference"] = [{"start": start.isoformat(), "end": begin.isoformat()}]
        incident["alerting"] = sorted({entity(service) for _, service, _ in firing if service})
    text = yaml.safe_dump(incident, sort_keys=False)
    (folder / "incident.yaml").write_text(text, encoding="utf-8")


def _write_truth(wish: Wish, record: list[dict[str, object]], fired: list[str]) -> str:
    """One line: who was really broken. An earlier line for the same incident is replaced."""
    if wish.truth is None or not record:
        return "truth: no fault was injected, so nothing is written"
    last = record[-1]
    expected = FAULTS[str(last["fault"])].alert
    line = {
        "incident": wish.folder.name,
        "entity": last["entity"],
        "kind": last["kind"],
        "alert": expected if expected in fired or not fired else fired[0],
        "path": last["path"],
    }
    earlier = wish.truth.read_bytes().splitlines() if wish.truth.exists() else []
    kept = [one for one in earlier if orjson.loads(one)["incident"] != wish.folder.name]
    wish.truth.write_bytes(b"".join(one + b"\n" for one in [*kept, orjson.dumps(line)]))
    return f"truth: {last['entity']} {last['kind']}"


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
