"""Tasks by HTTP and by command, done by a real worker over the embedded Valkey."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.http.api import create
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.crew import Wish, work
from opsmith.wiring.live import App

ANN, BOB, CAT = new_key("ann"), new_key("bob"), new_key("cat")
FILE = with_principal(
    with_principal(
        with_principal("", Principal(name="ann", tenant="shop"), hashed(ANN)),
        Principal(name="bob", role=Role.VIEWER, tenant="shop"),
        hashed(BOB),
    ),
    Principal(name="cat", tenant="bank"),
    hashed(CAT),
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """The real app on a free loopback port."""
    app = App(Settings(data_dir=tmp_path), version="0")
    api = create(app, key="", principals=read_principals(FILE))
    with asking(api) as found:
        yield found


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[None]:
    """A real worker in a thread of its own."""
    begun, ends = threading.Event(), []

    def run() -> None:
        async def works() -> None:
            stop = asyncio.Event()
            ends.append((asyncio.get_running_loop(), stop))
            begun.set()
            await work(Settings(data_dir=tmp_path), Wish(at_once=2), stop=stop)

        asyncio.run(works())

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(10)
    yield
    loop, stop = ends[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def as_(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def put(client: httpx.Client, **wanted: object) -> httpx.Response:
    return client.post("/v1/tasks", json=wanted, headers=as_(ANN))


@pytest.mark.needs_valkey
@pytest.mark.usefixtures("worker")
def test_a_task_is_followed_to_its_end(client: httpx.Client) -> None:
    response = put(client, kind="ping", body={"wait_s": 0.3}, key="once")
    where = response.headers["location"]
    headers = {**as_(ANN), "Accept": "text/event-stream"}
    events = client.get(where, headers=headers).text

    assert response.status_code == 202
    said = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    assert said[-1]["state"] == "done"
    assert said[-1]["result"]["trace"] == said[-1]["trace"]
    assert put(client, kind="ping", key="once").json()["id"] == response.json()["id"]


@pytest.mark.needs_valkey
def test_a_tenant_sees_its_own_tasks_and_a_viewer_puts_none(client: httpx.Client) -> None:
    name = put(client, kind="ping").json()["id"]

    assert client.get(f"/v1/tasks/{name}", headers=as_(BOB)).status_code == 200
    assert client.get(f"/v1/tasks/{name}", headers=as_(CAT)).status_code == 404
    assert client.post(f"/v1/tasks/{name}/cancel", headers=as_(CAT)).status_code == 404
    assert client.get("/v1/tasks", headers=as_(CAT)).json() == []
    assert client.post("/v1/tasks", json={"kind": "ping"}, headers=as_(BOB)).status_code == 403


@pytest.mark.needs_valkey
def test_a_task_is_cancelled_and_tried_again(client: httpx.Client) -> None:
    name = put(client, kind="ping").json()["id"]

    cancelled = client.post(f"/v1/tasks/{name}/cancel", headers=as_(ANN))
    again = client.post(f"/v1/tasks/{name}/retry", headers=as_(ANN))
    twice = client.post(f"/v1/tasks/{name}/retry", headers=as_(ANN))

    assert cancelled.json()["state"] == "cancelled"
    assert again.json()["state"] == "waiting"
    assert twice.status_code == 422


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "dance"},
        {"kind": "ping", "body": {"wait_s": -1}},
        {"kind": "ping", "body": {"more": 1}},
        {"kind": "logs.clean", "body": {"target": ["/etc"], "older_than_s": 60}},
        {"kind": "ping", "attempts": 0},
        {"kind": "ping", "secret": 1},
    ],
    ids=str,
)
def test_what_no_worker_could_do_is_refused_at_the_door(
    client: httpx.Client, wanted: dict[str, object]
) -> None:
    response = client.post("/v1/tasks", json=wanted, headers=as_(ANN))

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def opsmith(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opsmith", *words],
        env={**os.environ, "OPSMITH_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.needs_valkey
@pytest.mark.slow
def test_a_worker_command_finishes_what_it_has_when_it_is_told_to_stop(tmp_path: Path) -> None:
    environment = {**os.environ, "OPSMITH_DATA_DIR": str(tmp_path)}
    one = subprocess.Popen([sys.executable, "-m", "opsmith", "worker"], env=environment)
    try:
        put = opsmith(tmp_path, "task", "run", "ping", "wait_s=2", "-o", "json")
        name = json.loads(put.stdout)["id"]
        while json.loads(opsmith(tmp_path, "task", "show", name, "-o", "json").stdout)[
            "state"
        ] not in {"running", "done"}:
            time.sleep(0.1)

        one.send_signal(signal.SIGTERM)

        assert one.wait(30) == 0
    finally:
        one.kill()
        one.wait()
    shown = json.loads(opsmith(tmp_path, "task", "show", name, "-o", "json").stdout)
    assert (shown["state"], shown["attempts"]) == ("done", 1)


@pytest.mark.needs_valkey
def test_schedules_are_added_listed_and_removed(tmp_path: Path) -> None:
    clean = ["logs.clean", "target=service:cart", "older_than_s=86400"]
    added = opsmith(tmp_path, "schedule", "add", "clean", "*/5 * * * *", *clean)
    twice = opsmith(tmp_path, "schedule", "add", "clean", "*/5 * * * *", *clean)
    listed = opsmith(tmp_path, "schedule", "list", "-o", "json")
    removed = opsmith(tmp_path, "schedule", "remove", "clean")

    assert "clean comes next at" in added.stdout
    assert twice.returncode == 1
    assert json.loads(listed.stdout)[0]["kind"] == "logs.clean"
    assert removed.returncode == 0
    assert opsmith(tmp_path, "schedule", "remove", "clean").returncode == 2
