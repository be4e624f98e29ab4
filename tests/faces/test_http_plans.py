"""Plans over HTTP: two principals with keys of their own approve what one alone may not."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.http.api import create
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.live import App

KEYS = {name: new_key(name) for name in ("ann", "bob", "eve")}
FILE = ""
for _name, _role in (("ann", Role.OPERATOR), ("bob", Role.ADMIN), ("eve", Role.VIEWER)):
    FILE = with_principal(FILE, Principal(name=_name, role=_role), hashed(KEYS[_name]))
CLEAN = {
    "action": "logs.clean",
    "target": "service:cart",
    "values": {"older_than_s": "3600"},
    "why": "the disk is full",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("x")
    os.utime(tmp_path / "logs" / "a.log", (0, 0))
    targets = [{"target": "service:cart", "logs": {"folder": str(tmp_path / "logs")}}]
    (tmp_path / "targets.yaml").write_text(json.dumps({"targets": targets}))
    settings = Settings(data_dir=tmp_path / "data", targets_file=tmp_path / "targets.yaml")
    api = create(App(settings, version="0"), key="", principals=read_principals(FILE))
    with asking(api) as found:
        yield found


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name]}"}


def test_what_destroys_waits_for_two_who_are_not_the_same(
    client: httpx.Client, tmp_path: Path
) -> None:
    made = client.post("/v1/plans", json=CLEAN, headers=as_("ann")).json()
    name = made["id"]
    assert made["judgement"] == {
        "says": "needs_approval",
        "rule": "destructive asks two",
        "approvers": 2,
    }

    first = client.post(f"/v1/plans/{name}/approve", headers=as_("ann"))
    again = client.post(f"/v1/plans/{name}/approve", headers=as_("ann"))
    early = client.post(f"/v1/plans/{name}/run", headers=as_("ann"))
    client.post(f"/v1/plans/{name}/approve", headers=as_("bob"))
    done = client.post(f"/v1/plans/{name}/run", headers=as_("ann"))

    assert (first.status_code, again.status_code, early.status_code) == (200, 403, 403)
    assert "has 1" in early.json()["denied"]["reason"]
    assert done.json()["state"] == "done"
    assert not (tmp_path / "logs" / "a.log").exists()
    shown = client.get(f"/v1/plans/{name}", headers=as_("eve")).json()
    assert [one["approver"] for one in shown["approvals"]] == ["ann", "bob"]
    assert len(client.get("/v1/plans", headers=as_("eve")).json()) == 1


def test_a_viewer_looks_and_a_stranger_does_not(client: httpx.Client) -> None:
    name = client.post("/v1/plans", json=CLEAN, headers=as_("ann")).json()["id"]

    for path in (
        "/v1/plans",
        f"/v1/plans/{name}/approve",
        f"/v1/plans/{name}/reject",
        f"/v1/plans/{name}/run",
        f"/v1/plans/{name}/undo",
    ):
        refused = client.post(path, json=CLEAN, headers=as_("eve"))
        assert refused.status_code == 403, path
    assert client.get("/v1/plans").status_code == 401
    rejected = client.post(f"/v1/plans/{name}/reject", headers=as_("bob")).json()
    assert rejected["state"] == "rejected"
    assert client.post(f"/v1/plans/{name}/undo", headers=as_("bob")).status_code == 403


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action": "logs.eat"}, 404),
        ({"target": "cart"}, 422),
        ({"target": "service:none"}, 404),
        ({"values": {"older_than_s": "soon"}}, 422),
        ({"values": {"path": "/etc"}}, 422),
        ({"why": ""}, 422),
        ({"colour": "red"}, 422),
    ],
)
def test_what_makes_no_sense_is_a_problem(
    client: httpx.Client, change: dict[str, object], status: int
) -> None:
    answer = client.post("/v1/plans", json={**CLEAN, **change}, headers=as_("ann"))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/plans/plan-0", headers=as_("ann")).status_code == 404
