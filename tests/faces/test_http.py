"""The HTTP face over the real app, with a real ledger and no server behind it."""

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking

from opsmith.http.api import create
from opsmith.settings import Settings
from opsmith.wiring.live import App
from tests.promises.real_prometheus import free_port


def told(
    name: str = "cart", *, status: str = "firing", start: str = "2026-01-01T00:00:00Z"
) -> object:
    return {
        "version": "4",
        "status": status,
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": "Slow", "service": name, "severity": "critical"},
                "annotations": {"summary": "<script>document.title='owned'</script>"},
                "startsAt": start,
                "endsAt": "2026-01-01T00:05:00Z"
                if status == "resolved"
                else "0001-01-01T00:00:00Z",
                "fingerprint": f"of-{name}",
            }
        ],
    }


@contextmanager
def running(
    folder: Path,
    *,
    key: str = "",
    sources_file: Path | None = None,
    prometheus_url: str | None = None,
    scrape_interval_s: float = 15.0,
) -> Iterator[httpx.Client]:
    """The real app on a free loopback port, as `opsmith up` runs it."""
    settings = Settings(
        data_dir=folder,
        sources_file=sources_file,
        prometheus_url=prometheus_url,
        scrape_interval_s=scrape_interval_s,
    )
    with asking(create(App(settings, version="0"), key=key)) as client:
        yield client


def incidents(client: httpx.Client, *, alerts: int = 1) -> list[dict[str, object]]:
    """The incidents, once so many alerts are in them: placing comes after the answer."""
    deadline = time.monotonic() + 30
    while True:
        found: list[dict[str, object]] = client.get("/v1/incidents").json()
        if sum(len(one["alerts"]) for one in found) >= alerts:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with running(tmp_path) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
    ],
    ids=str,
)
def test_a_page_of_another_site_makes_a_browser_do_nothing_here(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    answer = client.post("/webhook/alertmanager", json=told(), headers=headers)

    assert answer.status_code == status
    assert client.get("/v1/incidents", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/webhook/alertmanager", "/api/alerts"])
def test_a_notification_is_taken_once(client: httpx.Client, path: str) -> None:
    first, again = (client.post(path, json=told()) for _ in range(2))

    assert (first.status_code, first.json()) == (200, {"changed": 1})
    assert again.json() == {"changed": 0}
    assert [alert["entity"] for alert in client.get("/v1/alerts").json()] == ["service:cart"]


def test_an_alert_becomes_an_incident_with_a_report(client: httpx.Client) -> None:
    client.post("/webhook/alertmanager", json=told())
    for _ in range(100):
        (incident,) = incidents(client)
        if incident["verdict"]:
            break
        time.sleep(0.05)

    assert incident["state"] == "open"
    assert incident["verdict"]["status"] == "inconclusive"
    report = client.get(incident["report"])
    assert report.headers["content-type"].startswith("text/html")
    assert "<script>document" not in report.text


def test_an_incident_is_in_the_graph_with_what_lies_around_it(client: httpx.Client) -> None:
    client.post("/webhook/alertmanager", json=told())
    (incident,) = incidents(client)
    for _ in range(200):
        part = client.get(f"/v1/incidents/{incident['id']}/graph").json()
        if part["nodes"]:
            break
        time.sleep(0.05)

    assert {node["id"] for node in part["nodes"]} >= {"alert:of-cart", "service:cart"}
    assert any(link["type"] == "CONTAINS" for link in part["links"])
    assert client.get("/v1/incidents/nope/graph").status_code == 404


def test_what_people_say_is_kept(client: httpx.Client) -> None:
    client.post("/webhook/alertmanager", json=told())
    name = incidents(client)[0]["id"]

    done = client.post(
        f"/v1/incidents/{name}/confirm", json={"entity": "service:db", "kind": "disk.full"}
    )

    assert done.json()["state"] == "confirmed"
    assert done.json()["confirmed"] == {"entity": "service:db", "kind": "disk.full"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/webhook/alertmanager", b"{", 422),
        ("POST", "/webhook/alertmanager", b'{"version":"3","alerts":[]}', 422),
        ("POST", "/webhook/alertmanager", b'"text"', 422),
        ("GET", "/v1/incidents/nope", b"", 404),
        ("GET", "/v1/incidents/..%2F..%2Fledger.db/report.html", b"", 404),
        ("POST", "/v1/incidents/nope/confirm", b'{"entity":"x"}', 422),
        ("GET", "/v1/incidents?limit=many", b"", 422),
        ("GET", "/nowhere", b"", 404),
        ("POST", "/webhook/alertmanager", b"x" * (17 * 1024 * 1024), 413),
    ],
)
def test_what_is_wrong_is_a_problem(
    client: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    answer = client.request(method, path, content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_without_a_key_only_a_local_name_is_answered(client: httpx.Client) -> None:
    assert client.get("/v1/incidents", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/v1/incidents", headers={"host": "localhost:8417"}).status_code == 200
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 200


def test_with_a_key_it_must_be_shown(tmp_path: Path) -> None:
    basic = base64.b64encode(b"alertmanager:s3cret").decode()
    with running(tmp_path, key="s3cret") as client:
        shown = [
            client.get("/v1/incidents", headers=headers).status_code
            for headers in (
                {},
                {"authorization": "Bearer wrong"},
                {"authorization": "Basic %%%"},
                {"authorization": "Bearer s3cret"},
                {"authorization": f"Basic {basic}"},
            )
        ]

    assert shown == [401, 401, 401, 200, 200]


def test_health_metrics_description_and_page_are_there(client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").json() == {"ready": True, "troubles": {}}
    assert "opsmith_alerts_received_total" in client.get("/metrics").text
    assert "/webhook/alertmanager" in client.get("/openapi.json").json()["paths"]
    page = client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert all(client.get(f"/page.{kind}").status_code == 200 for kind in ("js", "css"))


def test_what_was_known_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        client.post("/webhook/alertmanager", json=told())
    with running(tmp_path) as client:
        client.post("/webhook/alertmanager", json=told(status="resolved"))
        deadline = time.monotonic() + 30
        while (incident := incidents(client)[0])["firing"]:
            assert time.monotonic() < deadline

    assert (incident["state"], incident["firing"]) == ("mitigated", 0)


def test_what_spans_say_is_summed_for_a_prometheus_and_counted(client: httpx.Client) -> None:
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "GET /cart",
        "kind": 2,
        "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "1250000000",
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]}
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span, span]}]}]}

    client.post("/v1/traces", json=request).raise_for_status()

    sums, counts = client.get("/metrics/collected").text, client.get("/metrics").text
    assert 'traces_spanmetrics_latency_sum{service="cart",span_kind="SERVER"' in sums
    assert "} 0.5\n" in sums
    assert 'opsmith_events_seen_total{signal="spans"} 2.0' in counts
    assert 'opsmith_events_sampled_out_total{signal="spans"} 0.0' in counts
    assert "opsmith_collector_series 1.0" in counts
    assert 'opsmith_label_values{label="span_name",' in counts


def test_a_log_file_is_followed_into_what_is_known(tmp_path: Path) -> None:
    log, file = tmp_path / "cart.log", tmp_path / "sources.yml"
    log.write_text("old\n")
    file.write_text(f"logs: [{{name: shop, kind: files, paths: [{log}]}}]")
    with running(tmp_path, sources_file=file) as client:
        deadline = time.monotonic() + 30
        while "log_records_count" not in (text := client.get("/metrics/collected").text):
            assert time.monotonic() < deadline
            with log.open("a") as more:
                more.write("2026-01-01T00:00:00Z ERROR new\n")
            time.sleep(0.2)

    assert 'service="cart"' in text
    assert 'level="ERROR"' in text


def test_what_fires_in_a_maintenance_window_is_written_down_and_opens_no_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.wiring.live.TICK_S", 0.1)
    with running(tmp_path) as client:
        window = client.post(
            "/v1/maintenance", json={"selectors": ["service:cart"], "minutes": 30, "why": "move"}
        ).json()
        client.post("/webhook/alertmanager", json=told())
        client.post("/webhook/alertmanager", json=told("mail"))
        time.sleep(0.5)
        during = client.get("/v1/incidents").json()
        written = [alert["entity"] for alert in client.get("/v1/alerts").json()]
        client.post(f"/v1/maintenance/{window['id']}/end")
        for _ in range(100):
            after = client.get("/v1/incidents").json()
            if sum(len(one["alerts"]) for one in after) > 1:
                break
            time.sleep(0.05)

    assert [alert["entity"] for one in during for alert in one["alerts"]] == ["service:mail"]
    assert sorted(written) == ["service:cart", "service:mail"]
    entities = sorted(alert["entity"] for one in after for alert in one["alerts"])
    assert entities == ["service:cart", "service:mail"]


@pytest.mark.parametrize(
    "body",
    [
        {"selectors": ["cart"], "minutes": 5},
        {"selectors": [], "minutes": 5},
        {"selectors": ["a=b"], "minutes": 0},
        {"selectors": ["a=b"], "minutes": 5, "starts_at": "2026-01-01T00:00:00"},
        {"selectors": ["a=~("], "minutes": 5},
    ],
)
def test_a_wrong_maintenance_window_is_refused(client: httpx.Client, body: object) -> None:
    assert client.post("/v1/maintenance", json=body).status_code == 422


def test_a_confirmed_incident_refits_the_ranker_and_is_shown_as_seen_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.wiring.live.TICK_S", 0.1)
    with running(tmp_path) as client:
        client.post("/webhook/alertmanager", json=told())
        first = looked_into(client)
        client.post(
            f"/v1/incidents/{first['id']}/confirm",
            json={"entity": "service:cart", "kind": "pool.exhausted"},
        )
        deadline = time.monotonic() + 60
        while 'refits_total{outcome="kept"} 1.0' not in client.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        client.post("/webhook/alertmanager", json=told(start="2026-01-01T02:00:00Z"))
        second = looked_into(client)
        report = client.get(second["report"]).text

    assert (tmp_path / "ranker.json").exists()
    assert second["id"] != first["id"]
    assert second["similar"] == [first["id"]]
    assert "Seen before" in report
    assert "it was service:cart (pool.exhausted)" in report


def looked_into(client: httpx.Client) -> dict[str, object]:
    """The incident that changed last, once it has a verdict."""
    for _ in range(200):
        newest = incidents(client)[0]
        if newest["verdict"] and newest["state"] == "open":
            return newest
        time.sleep(0.05)
    raise AssertionError("never looked into")


@pytest.mark.slow
def test_an_open_page_does_not_hold_up_the_end(tmp_path: Path) -> None:
    port = free_port()
    words = [sys.executable, "-m", "opsmith", "up", "--listen", f"127.0.0.1:{port}"]
    up = subprocess.Popen([*words, "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    try:
        assert up.stderr is not None
        assert "answers on" in up.stderr.readline()
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=20)
        )
        with client, client.stream("GET", "/v1/events", timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": welcome"
            up.send_signal(signal.SIGTERM)
            told = [line for line in lines if line]

        assert up.wait(60) in {0, -signal.SIGTERM}
        assert (told, up.stderr.read()) == ([], "")
    finally:
        up.kill()
        up.wait()
        if up.stderr is not None:
            up.stderr.close()
