"""Two tenants over HTTP: whatever is not one's own does not exist, whichever route is asked."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from builders.asgi import serving

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.execute.resources import hold
from opsmith.http.api import create
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.act import now
from opsmith.wiring.live import App
from tests.faces.test_http import incidents, told

WHO = {
    "ann": Principal(name="ann", tenant="shop", role=Role.ADMIN),
    "cat": Principal(name="cat", tenant="bank", role=Role.ADMIN),
    "dan": Principal(name="dan", role=Role.ADMIN),
    "eve": Principal(name="eve", role=Role.VIEWER),
}
KEYS = {name: new_key(name) for name in WHO}
FILE = ""
for _name, _one in WHO.items():
    FILE = with_principal(FILE, _one, hashed(KEYS[_name]))
OPERATOR = "the-one-key"
CLEAN = {
    "action": "logs.clean",
    "target": "service:cart",
    "values": {"older_than_s": "3600"},
    "why": "the disk is full",
}


@dataclass(frozen=True)
class House:
    """Clients of a running house, each with a key of its own."""

    ann: httpx.Client
    cat: httpx.Client
    dan: httpx.Client
    eve: httpx.Client
    operator: httpx.Client

    @property
    def outsiders(self) -> tuple[httpx.Client, httpx.Client]:
        return self.ann, self.cat


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("x")
    os.utime(tmp_path / "logs" / "a.log", (0, 0))
    targets = [{"target": "service:cart", "logs": {"folder": str(tmp_path / "logs")}}]
    (tmp_path / "targets.yaml").write_text(json.dumps({"targets": targets}))
    (tmp_path / "inventory.yaml").write_text("services: [cart]")
    settings = Settings(
        data_dir=tmp_path,
        targets_file=tmp_path / "targets.yaml",
        inventory_file=tmp_path / "inventory.yaml",
    )
    api = create(App(settings, version="0"), key=OPERATOR, principals=read_principals(FILE))
    with serving(api) as where:
        clients = {
            name: httpx.Client(
                base_url=where, headers={"Authorization": f"Bearer {key}"}, timeout=30
            )
            for name, key in {**KEYS, "operator": OPERATOR}.items()
        }
        yield House(**clients)
        for client in clients.values():
            client.close()


def test_a_plan_of_another_tenant_is_not_there(house: House) -> None:
    name = house.ann.post("/v1/plans", json=CLEAN).json()["id"]

    for way in ("approve", "reject", "run", "undo"):
        foreign = house.cat.post(f"/v1/plans/{name}/{way}")
        nothing = house.cat.post(f"/v1/plans/plan-0000000000/{way}")
        assert (foreign.status_code, nothing.status_code) == (404, 404), way
        assert foreign.text.replace(name, "plan-0000000000") == nothing.text
    for client in (house.cat, house.dan):
        assert client.get(f"/v1/plans/{name}").status_code == 404
        assert client.get("/v1/plans").json() == []
    for client in (house.ann, house.operator):
        assert [one["id"] for one in client.get("/v1/plans").json()] == [name]
        assert client.get(f"/v1/plans/{name}").json()["state"] == "proposed"


def test_a_plan_that_holds_a_target_is_named_to_its_own_tenant_alone(tmp_path: Path) -> None:
    async def held_by(tenant: str) -> str | None:
        ledger = SqliteLedger(tmp_path / "ledger.db")
        at, lease = now(), timedelta(minutes=1)
        try:
            await hold(ledger, "cart", plan="first", now=at, lease=lease, tenant="shop")
            return await hold(ledger, "cart", plan="p", now=at, lease=lease, tenant=tenant)
        finally:
            ledger.close()

    assert asyncio.run(held_by("shop")) == "first"
    assert asyncio.run(held_by("bank")) == "another plan"


def test_the_operator_of_the_house_decides_for_every_tenant(house: House) -> None:
    aside = {**CLEAN, "action": "logs.quarantine"}
    name = house.ann.post("/v1/plans", json=aside).json()["id"]

    first = house.operator.post(f"/v1/plans/{name}/approve")
    done = house.operator.post(f"/v1/plans/{name}/run")

    assert first.status_code == 200
    assert done.json()["state"] == "done"
    assert house.ann.get(f"/v1/plans/{name}").json()["tenant"] == "shop"


def test_what_opsmith_finds_belongs_to_the_house(house: House) -> None:
    assert house.dan.post("/webhook/alertmanager", json=told()).status_code == 200
    (found,) = incidents(house.dan)
    name = found["id"]

    assert [one["id"] for one in house.operator.get("/v1/incidents").json()] == [name]
    assert house.eve.get(f"/v1/incidents/{name}").status_code == 200
    assert house.eve.post(f"/v1/incidents/{name}/reject").status_code == 403
    for client in house.outsiders:
        for path in ("/v1/incidents", "/v1/alerts", "/v1/signs", "/v1/maintenance"):
            assert client.get(path).json() == [], path
        for path in ("", "/report.html", "/graph"):
            assert client.get(f"/v1/incidents/{name}{path}").status_code == 404, path
        for way in ("confirm", "reject", "merge", "split"):
            body = {"merge": {"other": name}, "split": {"alerts": ["of-cart"]}}.get(way)
            answer = client.post(f"/v1/incidents/{name}/{way}", json=body)
            assert answer.status_code == 404, way


def test_nobody_of_another_tenant_speaks_for_the_house(house: House) -> None:
    window = {"selectors": ["service:cart"], "minutes": 5}
    made = house.dan.post("/v1/maintenance", json=window).json()["id"]

    for client in house.outsiders:
        assert client.post(f"/v1/maintenance/{made}/end").status_code == 404
        assert client.post("/v1/signs/a1/label", json={"said": "false"}).status_code == 404
        for path in (
            "/webhook/alertmanager",
            "/api/alerts",
            "/v1/traces",
            "/v1/logs",
            "/v1/changes",
            "/v1/maintenance",
        ):
            assert client.post(path, json=window).status_code == 403, path
        for path in ("/metrics", "/metrics/collected"):
            assert client.get(path).status_code == 403, path
    assert len(house.dan.get("/v1/maintenance").json()) == 1


def test_no_metric_names_a_tenant_or_a_principal(house: House) -> None:
    house.ann.post("/v1/plans", json=CLEAN)
    house.ann.post("/v1/ask", json={"question": "is cart healthy?"})

    told_of = house.dan.get("/metrics").text

    assert not any(f'"{word}"' in told_of for word in ("shop", "bank", *WHO))


def test_a_stream_says_nothing_of_others(house: House) -> None:
    heard: dict[str, list[str]] = {"ann": [], "dan": []}
    welcome = {name: threading.Event() for name in heard}

    def listen(name: str) -> None:
        client: httpx.Client = getattr(house, name)
        with client.stream("GET", "/v1/events", timeout=3) as stream:
            try:
                for line in stream.iter_lines():
                    welcome[name].set()
                    heard[name].append(line)
            except httpx.ReadTimeout:
                return

    threads = [threading.Thread(target=listen, args=[name]) for name in heard]
    for thread in threads:
        thread.start()
    for event in welcome.values():
        assert event.wait(10)
    house.dan.post("/webhook/alertmanager", json=told())
    aside = {**CLEAN, "action": "logs.quarantine"}
    name = house.ann.post("/v1/plans", json=aside).json()["id"]
    house.operator.post(f"/v1/plans/{name}/approve")
    assert house.operator.post(f"/v1/plans/{name}/run").json()["state"] == "done"
    for thread in threads:
        thread.join()

    assert "event: incident" in heard["dan"]
    assert not {"event: plan", f"data: {name}"} & set(heard["dan"])
    assert {"event: plan", f"data: {name}"} <= set(heard["ann"])
    assert "event: incident" not in heard["ann"]


def test_questions_are_answered_from_ones_own_pages(house: House) -> None:
    house.dan.post("/webhook/alertmanager", json=told())
    incidents(house.dan)
    secret = house.ann.post("/v1/ask", json={"question": "is cart healthy?"}).json()["session"]

    asked = {"question": "list my tasks"}
    seen = {
        name: json.dumps(getattr(house, name).post("/v1/ask", json=asked).json())
        for name in ("ann", "cat", "operator")
    }
    cause = {"question": "why is cart failing?"}
    ours, theirs = (one.post("/v1/ask", json=cause).json() for one in (house.dan, house.cat))

    assert "is cart healthy" in seen["ann"]
    assert "is cart healthy" in seen["operator"]
    assert "is cart healthy" not in seen["cat"]
    assert ours["answers"][0]["evidence"] != []
    assert theirs["answers"][0]["evidence"] == []
    again = {"question": "and payments?", "session": secret}
    assert house.cat.post("/v1/ask", json=again).status_code == 404


def test_a_key_that_is_shared_is_none_of_several_people(house: House) -> None:
    name = house.ann.post("/v1/plans", json=CLEAN).json()["id"]

    refused = house.operator.post(f"/v1/plans/{name}/approve")

    assert refused.status_code == 403
    assert refused.json()["denied"]["rule"] == "principal"
    assert house.ann.post(f"/v1/plans/{name}/approve").status_code == 200


def test_a_trail_is_of_ones_own_plan(house: House) -> None:
    name = house.ann.post("/v1/plans", json=CLEAN).json()["id"]
    house.ann.post(f"/v1/plans/{name}/approve")

    trail = house.ann.get(f"/v1/plans/{name}/trail").json()

    assert [(one["by"], one["state"], one["says"]) for one in trail] == [
        ("ann", "proposed", ""),
        ("ann", "approved", "ann approved"),
    ]
    assert all(len(one["digest"]) == 64 for one in trail)
    assert house.cat.get(f"/v1/plans/{name}/trail").status_code == 404


@pytest.mark.needs_valkey
def test_a_task_of_another_tenant_is_not_there(house: House) -> None:
    name = house.ann.post("/v1/tasks", json={"kind": "ping"}).json()["id"]
    events = {"Accept": "text/event-stream"}

    for client in (house.cat, house.dan):
        assert client.get("/v1/tasks").json() == []
        assert client.get(f"/v1/tasks/{name}", headers=events).status_code == 404
        for way in ("cancel", "retry"):
            assert client.post(f"/v1/tasks/{name}/{way}").status_code == 404
    house.cat.post("/v1/tasks", json={"kind": "ping"})
    for client in (house.ann, house.operator):
        found = client.get("/v1/tasks").json()
        assert name in [one["id"] for one in found]
    assert [one["id"] for one in house.ann.get("/v1/tasks", params={"limit": 1}).json()] == [name]


# Every route but those of the models, which know of no tenant's things, so that a new one is
# thought about before it is served.
OPEN = {"/healthz", "/readyz"}
HOUSE_ALONE = {
    "/metrics",
    "/metrics/collected",
    "/webhook/alertmanager",
    "/api/alerts",
    "/v1/traces",
    "/v1/logs",
    "/v1/changes",
    "/v1/alerts",
    "/v1/signs",
    "/v1/signs/{name}/label",
    "/v1/maintenance",
    "/v1/maintenance/{name}/end",
    "/v1/incidents",
    *(
        f"/v1/incidents/{{name}}{way}"
        for way in ("", "/report.html", "/graph", "/confirm", "/reject", "/merge", "/split")
    ),
}
OF_EACH = {
    "/v1/me",
    "/v1/events",
    "/v1/ask",
    "/v1/tasks",
    *(f"/v1/tasks/{{name}}{way}" for way in ("", "/cancel", "/retry")),
    "/v1/plans",
    *(
        f"/v1/plans/{{name}}{way}"
        for way in ("", "/trail", "/approve", "/reject", "/run", "/undo")
    ),
}


def test_whose_each_route_is_is_told_here(tmp_path: Path) -> None:
    api = create(App(Settings(data_dir=tmp_path), version="0"), key="")

    paths = {
        path
        for path, ways in api.openapi()["paths"].items()
        if not any("model" in way.get("tags", ()) for way in ways.values())
    }

    assert paths == OPEN | HOUSE_ALONE | OF_EACH
