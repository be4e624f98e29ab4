"""Alerts as Alertmanager posts them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsmith.ingest import alertmanager
from opsmith.ingest.losses import Losses
from opsmith.ingest.naming import Naming
from opsmith.nouns.series import Aspect
from opsmith.nouns.signals import Alert, AlertSource, Direction

URL = "http://prometheus:9090/graph?g0.expr={}&g0.tab=1"


def alert(labels: dict[str, str], **more: object) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": "2026-01-01T00:00:00.5Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "f1",
        **more,
    }


def read(tmp_path: Path, told: object) -> tuple[tuple[Alert, ...], list[str]]:
    path = tmp_path / "alerts.json"
    path.write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
    losses = Losses()
    found = alertmanager.read(path, Naming(), losses)
    return found, [lost.what for lost in losses.missing()]


def one(tmp_path: Path, labels: dict[str, str], **more: object) -> Alert:
    (found,), _ = read(tmp_path, {"version": "4", "alerts": [alert(labels, **more)]})
    return found


def test_a_firing_alert_has_no_end(tmp_path: Path) -> None:
    url = URL.format("queue_depth%7Bqueue%3D%22orders%22%7D+%3E+100")

    found = one(
        tmp_path,
        {"alertname": "Backlog", "queue": "orders", "severity": "page"},
        generatorURL=url,
        annotations={"summary": "depth 500, token=abc123"},
    )

    assert str(found.entity) == "queue:orders"
    assert (found.name, found.metric, found.severity) == ("Backlog", "queue_depth", "page")
    assert (found.aspect, found.direction) == (Aspect.QUEUE, Direction.UP)
    assert found.source is AlertSource.METRIC
    assert found.starts_at == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert found.ends_at is None
    assert found.annotations == (("summary", "depth 500, token=[redacted]"),)


def test_notices_of_one_alert_are_one_and_a_new_start_is_another(tmp_path: Path) -> None:
    labels = {"alertname": "x", "service": "cart"}
    ended = alert(labels, status="resolved", endsAt="2026-01-01T00:05:00Z")
    again = alert(labels, startsAt="2026-01-01T01:00:00Z")

    found, _ = read(
        tmp_path, [{"alerts": [alert(labels)]}, {"alerts": [ended]}, {"alerts": [again]}]
    )

    assert [one.ends_at for one in found] == [datetime(2026, 1, 1, 0, 5, tzinfo=UTC), None]


def test_a_bare_list_of_alerts_is_read(tmp_path: Path) -> None:
    found, _ = read(tmp_path, [alert({"alertname": "x", "service": "cart"})])

    assert len(found) == 1


def test_an_alert_of_an_instance_is_about_its_service(tmp_path: Path) -> None:
    found = one(tmp_path, {"alertname": "x", "service": "cart", "instance": "h:80"})

    assert str(found.entity) == "service:cart"


def test_an_alert_about_a_call_is_about_the_callee_and_names_the_caller(tmp_path: Path) -> None:
    found = one(tmp_path, {"alertname": "x", "caller": "web", "callee": "cart"})

    assert (str(found.entity), str(found.caller)) == ("service:cart", "service:web")


def test_labels_of_ours_beat_what_is_guessed(tmp_path: Path) -> None:
    labels = {
        "alertname": "x",
        "entity": "database:orders",
        "aspect": "pool",
        "direction": "down",
        "signal": "log",
        "metric": "m",
        "count": "12",
    }

    found = one(tmp_path, labels, fingerprint="")

    assert (str(found.entity), found.aspect, found.direction) == (
        "database:orders",
        Aspect.POOL,
        Direction.DOWN,
    )
    assert (found.source, found.metric, found.count) == (AlertSource.LOG, "m", 12)
    assert "entity=database:orders" in found.fingerprint


@pytest.mark.parametrize(
    ("expression", "metric", "direction"),
    [
        ("up == 0", "up", Direction.NONE),
        ('free_bytes{a="x>y"} <= 5', "free_bytes", Direction.DOWN),
        (
            "histogram_quantile(0.99, sum by (le, svc) (rate(lat_bucket[5m]))) > 1",
            "lat_bucket",
            Direction.UP,
        ),
        ("sum without(pod) (errs) / on(svc) group_left(x) sum(reqs) > .1", "errs", Direction.UP),
        ("1 > 0", "x", Direction.UP),
        ("", "x", Direction.NONE),
    ],
)
def test_metric_and_direction_come_from_the_rule(
    tmp_path: Path, expression: str, metric: str, direction: Direction
) -> None:
    from urllib.parse import quote_plus

    url = URL.format(quote_plus(expression))

    found = one(tmp_path, {"alertname": "x", "service": "a"}, generatorURL=url)

    assert (found.metric, found.direction) == (metric, direction)


def test_an_address_that_is_none_is_no_error(tmp_path: Path) -> None:
    assert one(tmp_path, {"service": "a"}, generatorURL="http://[::1").metric == ""


@pytest.mark.parametrize("told", ["{", "nonsense", '{"alerts": [1'])
def test_malformed_json_is_told(tmp_path: Path, told: str) -> None:
    found, lost = read(tmp_path, told)

    assert found == ()
    assert lost[0].startswith("alerts.json:1: not JSON")


def test_an_alert_of_nobody_is_told(tmp_path: Path) -> None:
    found, lost = read(tmp_path, {"alerts": [alert({"alertname": "x"}), 7]})

    assert found == ()
    assert lost[0].startswith("alerts.json [0].alerts[0]: an alert whose labels name no entity")
    assert read(tmp_path, [7, {"other": 1}]) == ((), [])
