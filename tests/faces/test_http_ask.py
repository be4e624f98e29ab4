"""POST /v1/ask, and who asks: principals of their own, roles, tenants, the ledger."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking
from builders.records import kept

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.backends.intent import adapter as stored
from opsmith.backends.intent.shelf import Shelf
from opsmith.errors import BadInput
from opsmith.http.api import create
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.live import App

CLEAN = "delete logs of cart older than 7 days"
ANN, BOB = new_key("ann"), new_key("bob")
FILE = with_principal(
    with_principal("", Principal(name="ann", tenant="shop"), hashed(ANN)),
    Principal(name="bob", role=Role.VIEWER, tenant="bank"),
    hashed(BOB),
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """The real app on a free loopback port, with two principals and one known service."""
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("services: [cart]")
    (tmp_path / "logs").mkdir()
    targets = [{"target": "service:cart", "logs": {"folder": str(tmp_path / "logs")}}]
    (tmp_path / "targets.yaml").write_text(json.dumps({"targets": targets}))
    settings = Settings(
        data_dir=tmp_path, inventory_file=inventory, targets_file=tmp_path / "targets.yaml"
    )
    app = App(settings, version="0")
    api = create(app, key="", principals=read_principals(FILE))
    with asking(api) as found:
        yield found


def as_(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_nobody_comes_in_without_a_key_once_there_are_principals(client: httpx.Client) -> None:
    question = {"question": "restart cart"}

    assert client.post("/v1/ask", json=question).status_code == 401
    for wrong in (ANN[:-1] + "x", "ann.", "nobody.x", "\u00e9.x"):
        headers = {"Authorization": f"Bearer {wrong}".encode()}
        assert client.post("/v1/ask", json=question, headers=headers).status_code == 401


def test_a_question_is_answered_and_its_turn_carries_who_asked(
    client: httpx.Client, tmp_path: Path
) -> None:
    told = client.post("/v1/ask", json={"question": CLEAN}, headers=as_(ANN)).json()

    assert told["outcome"] == "plan"
    plan = told["answers"][0]["plan"]
    assert (plan["made_by"], plan["tenant"]) == ("ann", "shop")
    assert client.get(f"/v1/plans/{plan['id']}", headers=as_(ANN)).json()["id"] == plan["id"]
    (record,) = kept(tmp_path, "turn")
    assert (record.entry.principal, record.entry.tenant) == ("ann", "shop")


def test_a_question_is_read_by_the_adapter_of_the_tenant_who_asks(
    client: httpx.Client, tmp_path: Path
) -> None:
    shipped = Path(stored.__file__).parent / "shipped"
    shelf = Shelf(tmp_path / "intent", shipped).of("shop")
    other = {"check_health": "show_topology", "show_topology": "check_health"}
    taught = stored.load(shipped)
    labels = tuple(other.get(label, label) for label in taught.labels)
    shelf.add("strange", replace(taught, labels=labels))
    shelf.use("strange")

    told = [
        client.post("/v1/ask", json={"question": "cart doing alright?"}, headers=as_(key)).json()
        for key in (ANN, BOB)
    ]

    read = [one["answers"][0]["task"]["intent"] for one in told]
    assert read == ["show_topology", "check_health"]


def test_events_come_one_by_one_and_a_session_goes_on(client: httpx.Client) -> None:
    asked = {"question": f"is cart healthy? and {CLEAN}", "stream": True}
    text = client.post("/v1/ask", json=asked, headers=as_(ANN)).text
    events = [part.split("\n") for part in text.strip().split("\n\n")]
    done = json.loads(events[-1][1].removeprefix("data: "))

    assert [event[0] for event in events] == [
        "event: reading",
        *["event: answer"] * 2,
        "event: plan",
        "event: done",
    ]
    plan = json.loads(events[-2][1].removeprefix("data: "))
    assert plan["steps"][0]["action"] == "logs.clean"
    again = {"question": "重启它", "session": done["session"]}
    told = client.post("/v1/ask", json=again, headers=as_(ANN)).json()
    assert told["answers"][0]["task"]["slots"]["service"] == "cart"


def test_a_session_of_another_tenant_is_none(client: httpx.Client) -> None:
    told = client.post("/v1/ask", json={"question": "restart cart"}, headers=as_(ANN)).json()
    again = {"question": "restart it", "session": told["session"]}

    assert client.post("/v1/ask", json=again, headers=as_(BOB)).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"question": ""}, {"question": "x" * 5000}, {"question": "x", "admin": True}]
)
def test_a_bad_question_is_a_problem(client: httpx.Client, body: dict[str, object]) -> None:
    found = client.post("/v1/ask", json=body, headers=as_(ANN))

    assert found.status_code == 422
    assert found.headers["content-type"] == "application/problem+json"


def test_what_was_tried_is_noted_with_who_tried_it(client: httpx.Client, tmp_path: Path) -> None:
    assert client.get("/v1/incidents", headers=as_(BOB)).status_code == 200
    assert client.post("/v1/incidents/i-1/reject", headers=as_(BOB)).status_code == 404
    assert client.post("/v1/incidents/i-1/reject", headers=as_(ANN)).status_code == 404

    found = kept(tmp_path, "request")
    assert [(one.entry.principal, one.entry.tenant) for one in found] == [
        ("bob", "bank"),
        ("ann", "shop"),
    ]
    assert [json.loads(one.entry.body)["status"] for one in found] == [404, 404]


@pytest.mark.parametrize(
    "text",
    [
        "principals: [",
        "principals: [{name: a}]",
        "other: 1",
        FILE.replace("name: bob", "name: ann"),
    ],
)
def test_a_bad_file_of_principals_is_told_without_its_keys(text: str) -> None:
    with pytest.raises(BadInput) as told:
        read_principals(text)

    assert "scrypt$" not in str(told.value)


def test_who_may_only_look_proposes_nothing(client: httpx.Client) -> None:
    told = client.post("/v1/ask", json={"question": CLEAN}, headers=as_(BOB)).json()

    assert told["outcome"] == "denied"
    assert client.get("/v1/plans", headers=as_(ANN)).json() == []
