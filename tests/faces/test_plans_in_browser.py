"""Plans, tasks and questions on the page, in a real Chromium: seen, decided on, followed live."""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking
from builders.http import serving
from opsmith_lab.components import find
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.audit.states import of_dossier
from opsmith.http.api import create
from opsmith.nouns.plan import Check, CheckKind, PlanState
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.act import desk, now, proposal
from opsmith.wiring.live import App
from tests.faces.test_page_in_browser import FLAGS, HOSTILE, shot
from tests.promises.real_prometheus import filled, free_port, started, until_ready

pytestmark = pytest.mark.needs_browser

ADA = Principal(name="ada")
POLICY = """
version: 1
rules:
  - {name: destroying, when: {risk: destructive}, then: {ask: 2}}
  - {name: the rest, when: {}, then: {ask: 1}}
"""
WHO = {
    "ann": Principal(name="ann", tenant="shop"),
    "eve": Principal(name="eve", tenant="shop", role=Role.VIEWER),
    "cat": Principal(name="cat", tenant="bank"),
}
KEYS = {name: new_key(name) for name in WHO}
FILE = ""
for _name, _one in WHO.items():
    FILE = with_principal(FILE, _one, hashed(KEYS[_name]))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=str(find("chromium")), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not complain of anything, as one that was forbidden to run something."""
    complaints: list[str] = []
    page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.set_default_timeout(15_000)
    yield page
    page.close()
    assert [one for one in complaints if "Failed to load resource" not in one] == []


def settings_in(folder: Path) -> Settings:
    (folder / "logs").mkdir()
    (folder / "logs" / "a.log").write_text("x")
    os.utime(folder / "logs" / "a.log", (0, 0))
    (folder / "app.env").write_text("POOL_SIZE=40\n")
    config = {"file": str(folder / "app.env"), "format": "env"}
    target = {"target": "service:cart", "config": config, "logs": {"folder": str(folder / "logs")}}
    (folder / "targets.yaml").write_text(json.dumps({"targets": [target]}))
    (folder / "inventory.yaml").write_text("services: [cart]")
    return Settings(
        data_dir=folder / "data",
        targets_file=folder / "targets.yaml",
        inventory_file=folder / "inventory.yaml",
    )


@contextmanager
def running(settings: Settings, *, principals: str = "") -> Iterator[httpx.Client]:
    api = create(App(settings, version="0"), key="", principals=read_principals(principals))
    with asking(api) as client:
        yield client


def proposed(settings: Settings, *, address: str) -> str:
    """A plan of another process, checked by asking `address` for a while; its id."""

    async def propose() -> str:
        check = Check(kind=CheckKind.HTTP_OK, subject=address, within_s=3, holds_s=1)
        words = ["key=POOL_SIZE", "value=80"]
        wanted = proposal("config.set", "service:cart", words, why=f"too small {HOSTILE}")
        async with desk(settings) as opened:
            made = await opened.control.propose(replace(wanted, checks=(check,)), by=ADA)
        return made.plan.id

    with ThreadPoolExecutor(1) as aside:  # the player keeps a loop in this thread
        return aside.submit(asyncio.run, propose()).result()


def card_of(page: Page, plan: str) -> Locator:
    return page.locator(f"#plans [data-id='{plan}']")


def surely(card: Locator, way: str) -> None:
    """Press a button that wants to be pressed twice."""
    card.locator(f".{way}").click()
    expect(card.locator(f".{way}")).to_have_class(f"{way} sure")
    card.locator(f".{way}").click()


def test_a_plan_is_read_approved_run_watched_and_undone(page: Page, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with (
        serving(lambda _path, _headers: (200, b"{}")) as address,
        running(settings) as client,
    ):
        page.goto(str(client.base_url))
        expect(page.locator("#state")).to_have_text("live")
        expect(page.locator("#me")).to_have_text("you are http (admin)")
        plan = proposed(settings, address=address)
        card = card_of(page, plan)
        expect(card.locator(".badge")).to_have_text("waits for approval")
        for told in (
            "too small <img",
            "POOL_SIZE of service:cart: 40 -> 80",
            "changes · touches 1 target · by ada",
            "Undo: puts the old value back",
            f"http_ok {address}: within 3 seconds, and holds for 1 second",
            "Policy rule “changes ask”: one person must agree.",
        ):
            expect(card).to_contain_text(told)
        shot(page, "plan-waits")

        surely(card, "approve")
        expect(card.locator(".badge")).to_have_text("may be run")
        expect(card.locator(".policy")).to_contain_text("http agreed, good for 9:")
        surely(card, "run")
        expect(card.locator(".badge")).to_have_text("running")
        expect(card.locator(".act")).to_have_text("verified")
        expect(card.locator(".outcome")).to_contain_text("watched whether it helped")
        shot(page, "plan-runs")
        expect(card.locator(".badge")).to_have_text("done and verified")
        expect(card.locator(".outcome")).to_contain_text("It helped")
        assert (tmp_path / "app.env").read_text() == "POOL_SIZE=80\n"

        card.locator(".trail summary").click()
        expect(card.locator(".trail li")).to_have_count(7)
        expect(card.locator(".trail li").nth(1)).to_contain_text("http · approved")
        page.emulate_media(color_scheme="dark")
        shot(page, "plan-done")
        surely(card, "undo")
        expect(card.locator(".badge")).to_have_text("undone")
        assert (tmp_path / "app.env").read_text() == "POOL_SIZE=40\n"
        assert (page.title(), page.locator("main img").count()) == ("opsmith", 0)


def test_what_did_not_help_is_shown_as_undone(page: Page, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with (
        serving(lambda _path, _headers: (500, b"{}")) as address,
        running(settings) as client,
    ):
        plan = proposed(settings, address=address)
        page.goto(str(client.base_url))
        card = card_of(page, plan)
        surely(card, "approve")
        surely(card, "run")

        expect(card.locator(".badge")).to_have_text("undone")
        expect(card.locator(".act")).to_have_text("undone")
        expect(card.locator(".outcome")).to_contain_text("It did not help")
        assert (tmp_path / "app.env").read_text() == "POOL_SIZE=40\n"
        page.set_viewport_size({"width": 420, "height": 900})
        shot(page, "plan-undone-narrow")


def test_a_plan_whose_process_died_is_told_and_taken_back(page: Page, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    plan = proposed(settings, address="http://127.0.0.1:9")

    async def die() -> None:
        async with desk(settings) as opened:
            dossier = replace(await opened.control.plan(plan, by=ADA), state=PlanState.RUNNING)
            entry = of_dossier(dossier, at=now() - timedelta(hours=1), principal="ada")
            await opened.ledger.append([entry], durable=True)

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, die()).result()
    with running(settings) as client:
        page.goto(str(client.base_url))
        card = card_of(page, plan)
        expect(card.locator(".badge")).to_have_text("begun, never ended")
        expect(card.locator(".outcome")).to_contain_text("its process died")
        surely(card, "undo")
        expect(card.locator(".badge")).to_have_text("undone")


def test_a_closed_door_says_why_and_a_rejected_plan_is_past(page: Page, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    settings = replace(settings_in(tmp_path), policy_file=tmp_path / "policy.yaml")
    clean = {"action": "logs.clean", "target": "service:cart", "values": {"older_than_s": "60"}}
    with running(settings) as client:
        page.goto(str(client.base_url))
        plan = client.post("/v1/plans", json={**clean, "why": "disk full"}).json()["id"]
        card = card_of(page, plan)
        expect(card).to_contain_text("Cannot be undone: deleted files are gone")
        expect(card.locator(".approve")).to_have_count(0)
        expect(card.locator(".policy")).to_contain_text("people with names of their own")
        other = proposed(settings, address="http://127.0.0.1:9")
        surely(card_of(page, other), "approve")
        expect(card_of(page, other).locator(".run")).to_be_visible()
        (tmp_path / "policy.yaml").write_text("nonsense")
        surely(card_of(page, other), "run")
        expect(card_of(page, other).locator(".failed")).to_contain_text("(policy)")

        card.locator(".reject").click()
        expect(card.locator(".badge")).to_have_text("rejected")
        expect(card.locator(".acts")).to_have_count(0)
        page.reload()
        expect(card).to_have_count(0)
        page.locator("#past > summary").click()
        expect(page.locator(f"#past [data-id='{plan}'] .outcome")).to_have_text("http rejected it")


def test_who_may_only_look_has_no_buttons_and_a_stranger_no_plan(
    browser: Browser, tmp_path: Path
) -> None:
    aside = {"action": "logs.quarantine", "target": "service:cart", "why": "old logs"}
    with running(settings_in(tmp_path), principals=FILE) as client:
        headers = {"Authorization": f"Bearer {KEYS['ann']}"}
        values = {"older_than_s": "60"}
        plan = client.post("/v1/plans", json={**aside, "values": values}, headers=headers).json()
        seen = {}
        for name, key in KEYS.items():
            context = browser.new_context(http_credentials={"username": name, "password": key})
            one = context.new_page()
            one.goto(str(client.base_url))
            expect(one.locator("#me")).to_contain_text(f"you are {name}")
            expect(one.locator("#state")).to_have_text("live")
            one.wait_for_load_state("load")
            if name != "cat":
                expect(card_of(one, plan["id"])).to_be_visible()
            seen[name] = one.locator("#plans button").count()
            told = one.content()
            context.close()
            assert (plan["id"] in told) is (name != "cat")

    assert seen == {"ann": 2, "eve": 0, "cat": 0}


@pytest.mark.needs_valkey
def test_tasks_are_shown_and_let_go(page: Page, tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as client:
        page.goto(str(client.base_url))
        expect(page.locator("#no-tasks")).to_have_text("Nothing was ever put on the queue.")
        client.post("/v1/tasks", json={"kind": "ask", "body": {"question": HOSTILE}})

        task = page.locator(".task")
        expect(task.locator(".badge")).to_have_text("waiting")
        expect(task.locator(".body")).to_contain_text("question=<img")
        shot(page, "tasks")
        task.locator(".cancel").click()
        expect(task.locator(".badge")).to_have_text("cancelled")
        task.locator(".retry").click()
        expect(task.locator(".badge")).to_have_text("waiting")
        expect(page.locator("#task-counts")).to_have_text("1 waiting")
        assert (page.title(), page.locator("main img").count()) == ("opsmith", 0)


def test_a_question_is_answered_and_a_change_becomes_a_plan(page: Page, tmp_path: Path) -> None:
    with running(settings_in(tmp_path)) as client:
        page.goto(str(client.base_url))
        page.locator("#tongue").click()
        expect(page.locator("#ask button[type=submit]")).to_have_text("提问")
        box = page.locator("#ask input")
        box.fill("delete logs of cart older than 7 days")
        box.press("Enter")

        turn = page.locator(".turn").first
        expect(turn.locator(".reading")).to_contain_text("clean_logs service=cart older_than=7d")
        link = turn.locator("a")
        expect(link).to_contain_text("plan-")
        plan = str(link.get_attribute("href")).removeprefix("#")
        expect(card_of(page, plan).locator(".badge")).to_have_text("等待批准")
        expect(card_of(page, plan)).to_contain_text("无法撤销")
        box.fill(f"restart {HOSTILE}")
        box.press("Enter")
        expect(page.locator(".turn")).to_have_count(2)
        expect(page.locator(".turn").first.locator(".question")).to_contain_text("<img")
        expect(page.locator(".turn").first.locator(".said, .failed")).not_to_have_count(0)
        shot(page, "asked-chinese")
        assert (page.title(), page.locator("main img").count()) == ("opsmith", 0)


@pytest.mark.needs_prometheus
def test_a_metric_is_answered_with_its_plot_and_the_query(page: Page, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    at = int(now().timestamp())
    lines = [
        f'http_requests_total{{service="cart",code="{code}"}} {(each + 240) * rate} {at + each}'
        for code, rate in (("200", 3), ("500", 1))
        for each in range(-225, 1, 15)
    ]
    text = "\n".join(["# TYPE http_requests counter", *lines, "# EOF", ""])
    port = free_port()
    server = started(tmp_path, filled(tmp_path, text), port)
    try:
        with ThreadPoolExecutor(1) as aside:
            aside.submit(asyncio.run, until_ready(port)).result()
        with running(replace(settings, prometheus_url=f"http://127.0.0.1:{port}")) as client:
            page.goto(str(client.base_url))
            page.locator("#ask input").fill("error rate of cart in the last 3 minutes")
            page.locator("#ask button[type=submit]").click()
            turn = page.locator(".turn")
            expect(turn.locator(".said").first).to_contain_text("25 %")
            expect(turn.locator("pre.plot")).to_contain_text("cart (ratio)")
            expect(turn.locator(".evidence")).to_contain_text("rate(http_requests_total")
            shot(page, "plot")
    finally:
        server.terminate()
        server.wait()
