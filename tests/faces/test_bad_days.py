"""Bad days: a full disk, a server that talks nonsense, a sender that repeats itself."""

import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest

from tests.faces.test_http import incidents, running, told

PATIENCE_S = 60.0


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

    def __init__(self) -> None:
        self.answer: Callable[[str], bytes] = lambda _: b"<html>maintenance</html>"
        oracle = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                body = oracle.answer(self.path)
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *words: object) -> None:
                del words

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    made = Oracle()
    yield made
    made.server.shutdown()
    made.server.server_close()


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
