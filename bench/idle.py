"""What an idle watcher costs: `python bench/idle.py [--seconds 120]`.

Starts a real Prometheus that scrapes 2,000 series and has 20 alert rules, 80 minutes of history
of them included, and `opsmith up` beside it, its modules compiled as an installation leaves them.
Prints one JSON object: seconds from start to ready, the warm-up's processor seconds, then the
share of one core and the resident memory while idle, of opsmith and of all its children, and
where the memory is: by file, or anonymous. At last an alert comes: the resident memory while its
incident is looked into three times, the most and what is left.
"""

from __future__ import annotations

import argparse
import compileall
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from opsmith_lab.components import find

import opsmith

SERVICES = 40
SCRAPE_S = 15
HISTORY_S = 80 * 60
# An incident is looked into on arrival and 15 and 60 s later.
LOOKED_INTO_S = 75.0
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
RULES = """groups:
- name: shop
  rules:
"""


def samples(at: float, rng: random.Random) -> Iterator[tuple[str, float]]:
    """2,000 series as forty healthy services have them: RED by status, and what they use."""
    for number in range(SERVICES):
        name = f'service="svc-{number}",instance="10.0.0.{number}:80",job="shop"'
        # The integral of a rate that swings by a third over two hours.
        done = at + 0.3 * 1000 * (1 - math.cos(at / 1000 + number))
        for code, share in (("200", 0.97), ("404", 0.02), ("500", 0.001)):
            for path in ("a", "b"):
                labels = f'{name},code="{code}",path="/{path}"'
                yield f"http_requests_total{{{labels}}}", int(done * share)
        yield f"http_request_duration_seconds_sum{{{name}}}", done * 0.05
        yield f"http_request_duration_seconds_count{{{name}}}", int(done)
        yield f"process_cpu_seconds_total{{{name}}}", at * 0.2
        for what in ("process_resident_memory_bytes", "process_open_fds", "process_threads"):
            yield f"{what}{{{name}}}", 1e6 * (1 + number) + 1000 * rng.random()
        for pool in range(19):
            for what in ("pool_connections_in_use", "queue_depth"):
                yield f'{what}{{{name},pool="p{pool}"}}', 5 + rng.randrange(6)


def serve(rng: random.Random) -> int:
    """An exporter on a free loopback port; its port."""

    class Exporter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = (f"{key} {value}\n" for key, value in samples(time.time(), rng))
            body = "".join(lines).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def backfilled(folder: Path, rng: random.Random) -> Path:
    """A data folder that holds the last 80 minutes."""
    rows: dict[str, list[str]] = {}
    now = int(time.time())
    for at in range(now - HISTORY_S, now - SCRAPE_S, SCRAPE_S):
        for key, value in samples(at, rng):
            rows.setdefault(key, []).append(f"{key} {value} {at}\n")
    history = folder / "history.om"
    with history.open("w") as file:
        for key in sorted(rows, key=lambda key: key.partition("{")[0]):
            file.writelines(rows[key])
        file.write("# EOF\n")
    data = folder / "data"
    words = ["tsdb", "create-blocks-from", "openmetrics", str(history), str(data)]
    subprocess.run([str(find("promtool")), *words], check=True, capture_output=True)
    return data


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prometheus(folder: Path, target: int) -> tuple[subprocess.Popen[bytes], str]:
    """A real one with rules, scraping the exporter; its process and its address."""
    rules = "".join(
        f'  - {{alert: Slow{n}, expr: \'http_request_duration_seconds_sum{{service="svc-{n}"}}'
        f" / http_request_duration_seconds_count > {n + 1}', for: 1m}}\n"
        for n in range(20)
    )
    (folder / "rules.yml").write_text(RULES + rules)
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {SCRAPE_S}s}}\nrule_files: [rules.yml]\n"
        f"scrape_configs:\n- job_name: shop\n  honor_labels: true\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
    )
    port = free_port()
    words = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--web.external-url=http://127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([str(find("prometheus")), *words], stdout=log, stderr=log)
    return process, f"http://127.0.0.1:{port}"


def until_ok(url: str, *, patience_s: float = 60.0) -> None:
    """Wait until `url` answers 200."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{url} did not become ready")


def family(pid: int) -> list[int]:
    """A process and all that it started, and they."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def used(pid: int) -> tuple[float, float]:
    """Processor seconds and resident MB of a process and its children."""
    busy_s = mb = 0.0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        busy_s += (int(fields[11]) + int(fields[12])) / TICKS
        mb += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6
    return busy_s, mb


def held(pid: int) -> dict[str, float]:
    """Resident MB by what it is: a file's name, the heap, or anonymous; the largest first."""
    mb: Counter[str] = Counter()
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            name = Path(words[5]).name if len(words) > 5 else "anonymous"
        elif words[0] == "Rss:":
            mb[name] += int(words[1]) * 1024 / 1e6
    return {name: round(size, 1) for name, size in mb.most_common(8)}


def metric(base: str, name: str) -> float:
    """One of opsmith's own metrics."""
    for line in httpx.get(f"{base}/metrics", timeout=30).text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return math.nan


def with_incident(base: str, pid: int) -> dict[str, object]:
    """Resident MB while an incident is open: the most, what is left, and where that is."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Slow3", "service": "svc-3", "severity": "page"},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "0123456789abcdef",
    }
    told = {"version": "4", "status": "firing", "alerts": [alert]}
    httpx.post(f"{base}/webhook/alertmanager", json=told, timeout=30).raise_for_status()
    end = time.monotonic() + LOOKED_INTO_S
    most_mb, course = 0.0, dict[int, int]()
    while time.monotonic() < end:
        most_mb = max(most_mb, mb := used(pid)[1])
        course[int(LOOKED_INTO_S - end + time.monotonic())] = round(mb)
        time.sleep(0.05)
    return {
        "incident_most_mb": round(most_mb, 1),
        "incident_mb_by_second": list(course.values()),
        "incident_left_mb": round(used(pid)[1], 1),
        "incident_left_mb_by": held(pid),
        "looks": metric(base, "opsmith_looks_total"),
    }


def measured(base: str, process: subprocess.Popen[bytes], began: float, seconds: float) -> object:
    """What the watcher costs: to become ready, to warm up, and then for nothing."""
    until_ok(f"{base}/healthz")
    ready_s = time.monotonic() - began
    while not metric(base, "opsmith_watched_signals") > 1000:
        time.sleep(1)
    time.sleep(30)
    warm_s, warm_mb = used(process.pid)
    start = time.monotonic()
    time.sleep(seconds)
    idle_s, idle_mb = used(process.pid)
    return {
        "series": sum(1 for _ in samples(0, random.Random(0))),  # noqa: S311 - as above
        "signals": metric(base, "opsmith_watched_signals"),
        "start_to_ready_s": round(ready_s, 2),
        "warm_up_cpu_s": round(warm_s, 2),
        "warm_mb": round(warm_mb, 1),
        "idle_share_of_a_core": round((idle_s - warm_s) / (time.monotonic() - start), 4),
        "idle_mb": round(idle_mb, 1),
        "children": [
            Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:80]
            for one in family(process.pid)[1:]
        ],
        "idle_mb_by": held(process.pid),
        "troubles": httpx.get(f"{base}/readyz", timeout=30).json()["troubles"],
        "signs": metric(base, "opsmith_standing_signs"),
        **with_incident(base, process.pid),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120.0)
    seconds = parser.parse_args().seconds
    rng = random.Random(1)  # noqa: S311 - a workload, no secret
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backfilled(folder, rng)
        server, url = prometheus(folder, serve(rng))
        until_ok(f"{url}/-/ready")
        port = free_port()
        words = ["up", "--prometheus", url, "--listen", f"127.0.0.1:{port}"]
        compileall.compile_dir(Path(opsmith.__file__).parent, quiet=1)
        began = time.monotonic()
        watcher = subprocess.Popen(
            [sys.executable, "-m", "opsmith", *words, "--data-dir", str(folder / "opsmith")]
        )
        try:
            told = measured(f"http://127.0.0.1:{port}", watcher, began, seconds)
            print(json.dumps(told, indent=2))
        finally:
            for process in (watcher, server):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
