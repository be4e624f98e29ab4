"""Bad days: a full disk, a jumping clock, servers that lie, dawdle or are gone, repetition."""

import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest

from tests.faces.test_http import incidents, running, told

PATIENCE_S = 30.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def opsmith(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """`opsmith up` in a process of its own: its address and its pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["up", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-m", "opsmith", *words])
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def send(base: str, name: str) -> httpx.Response:
    return httpx.post(f"{base}/webhook/alertmanager", json=told(name), timeout=30)


@pytest.mark.slow
def test_a_full_disk_refuses_what_it_cannot_keep_says_so_and_recovers(
    tmp_path: Path, opsmith: tuple[str, int]
) -> None:
    base, pid = opsmith
    size = (tmp_path / "ledger.db-wal").stat().st_size
    no_limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    # No file may grow much more: what a full disk is to a program.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 100_000, no_limit[1]))
    sent = {f"svc-{number}": send(base, f"svc-{number}") for number in range(30)}
    refused = [name for name, answer in sent.items() if answer.status_code != 200]
    ready = httpx.get(f"{base}/readyz", timeout=30).json()
    counted = httpx.get(f"{base}/metrics", timeout=30).text
    resource.prlimit(pid, resource.RLIMIT_FSIZE, no_limit)
    until(lambda: answers(f"{base}/readyz"))
    between = {alert["entity"] for alert in httpx.get(f"{base}/v1/alerts").json()}
    again = [send(base, name).status_code for name in refused]

    assert refused
    assert {sent[name].status_code for name in refused} == {503}
    assert "ledger" in ready["troubles"]
    assert "opsmith_troubles 0.0" not in counted
    assert between == {f"service:{name}" for name in sent if name not in refused}
    assert set(again) == {200}


class Oracle:
    """A metrics server that answers what it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.answer: Callable[[str], bytes] = lambda _: b"<html>maintenance</html>"
        oracle = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                body = oracle.answer(self.path)
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError):  # who asked may have given up
                    self.wfile.write(body)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *words: object) -> None:
                del words

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Door)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.close()


def sane(path: str) -> bytes:
    """One series that moves with the clock, and no rules."""
    labels = {"__name__": "process_open_fds", "job": "shop", "instance": "a:80"}
    if path.endswith("/series"):
        return orjson.dumps({"status": "success", "data": [labels]})
    if path.partition("?")[0].endswith("/rules"):
        return orjson.dumps({"status": "success", "data": {"groups": []}})
    now = time.time()
    row = {"metric": labels, "values": [[now - 1, "5"], [now, "6"]]}
    return orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": [row]}})


@pytest.mark.slow
def test_a_metrics_server_that_talks_nonsense_is_named_and_an_incident_has_its_verdict_still(
    tmp_path: Path, oracle: Oracle
) -> None:
    with running(tmp_path, prometheus_url=oracle.url, scrape_interval_s=0.3) as client:
        until(lambda: "metric watch" in client.get("/readyz").json()["troubles"])
        client.post("/webhook/alertmanager", json=told())
        until(lambda: incidents(client)[0]["verdict"] is not None)
        oracle.answer = sane
        until(lambda: "metric watch" not in client.get("/readyz").json()["troubles"])
        followed = client.get("/metrics").text

    assert "opsmith_watched_signals 1.0" in followed


def test_a_group_that_is_sent_fifty_times_changes_something_once(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        changed = [
            client.post("/webhook/alertmanager", json=told()).json()["changed"] for _ in range(50)
        ]
        found = incidents(client)

    assert sum(changed) == 1
    assert [len(one["alerts"]) for one in found] == [1]


@pytest.mark.slow
def test_a_metrics_server_that_answers_too_late_is_named_and_an_incident_has_its_verdict_still(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.wiring.troubles.AGAIN_S", 0.5)
    dawdles = threading.Event()

    def late(path: str) -> bytes:
        dawdles.wait(timeout=1.5)
        return sane(path)

    oracle.answer = late
    sources = tmp_path / "sources.yaml"
    sources.write_text(
        f"metrics:\n  - {{name: shop, url: '{oracle.url}', timeout_s: 0.3, retries: 0}}\n"
    )
    with running(tmp_path, sources_file=sources, scrape_interval_s=0.3) as client:
        until(lambda: "metric watch" in client.get("/readyz").json()["troubles"])
        client.post("/webhook/alertmanager", json=told())
        until(lambda: incidents(client)[0]["verdict"] is not None)
        named = client.get("/readyz").json()["troubles"]
        dawdles.set()
        until(lambda: client.get("/readyz").json()["ready"])

    assert "metric watch" in named
    assert "prometheus" in named


@pytest.mark.slow
def test_a_metrics_server_that_was_away_is_followed_when_it_is_back(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsmith.wiring.troubles.AGAIN_S", 0.5)
    port = oracle.server.server_address[1]
    oracle.close()
    with running(tmp_path, prometheus_url=oracle.url, scrape_interval_s=0.3) as client:
        until(lambda: "metric watch" in client.get("/readyz").json()["troubles"])
        for _ in range(2):
            back = Oracle(port)
            back.answer = sane
            until(lambda: client.get("/readyz").json()["ready"])
            followed = client.get("/metrics").text
            back.close()
            until(lambda: "metric watch" in client.get("/readyz").json()["troubles"])

    assert "opsmith_watched_signals 1.0" in followed


class Jumping(datetime):
    """A clock that somebody sets while opsmith runs."""

    by = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.by


@pytest.mark.slow
@pytest.mark.parametrize("hours", [3, -3])
def test_a_clock_that_jumps_loses_no_alert_and_the_watch_goes_on(
    tmp_path: Path, oracle: Oracle, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr("opsmith.wiring.looks.datetime", Jumping)
    monkeypatch.setattr("opsmith.wiring.live.TICK_S", 0.2)
    monkeypatch.setattr(Jumping, "by", timedelta(0))
    oracle.answer = sane
    with running(tmp_path, prometheus_url=oracle.url, scrape_interval_s=0.3) as client:
        until(lambda: client.get("/readyz").json()["ready"])
        for number, jump in enumerate((0, hours, 0)):
            monkeypatch.setattr(Jumping, "by", timedelta(hours=jump))
            client.post("/webhook/alertmanager", json=told(f"svc-{number}"))
            until(lambda seen=number + 1: len(incidents(client, alerts=seen)) > 0)
        until(lambda: all(one["verdict"] for one in incidents(client)))
        for number in range(3):
            over = told(f"svc-{number}", status="resolved")
            client.post("/webhook/alertmanager", json=over)
        until(lambda: not any(one["firing"] for one in incidents(client)))
        until(lambda: client.get("/readyz").json()["ready"])
        still = client.get("/v1/alerts").json()

    assert still == []
