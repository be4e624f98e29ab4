"""The first page in a real Chromium: incidents come by themselves, people answer, nothing runs."""

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from opsmith_lab.components import find
from playwright.sync_api import Page, expect, sync_playwright

from opsmith.audit.states import of_sign
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.nouns.entity import Entity
from opsmith.nouns.series import Aspect
from opsmith.nouns.sign import Sign, SignKind
from tests.faces.test_http import running

pytestmark = pytest.mark.needs_browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
NOW = datetime.now(UTC)


def told(*names: str, status: str = "firing") -> object:
    return {
        "version": "4",
        "status": status,
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": name, "service": name, "severity": "critical"},
                "annotations": {"summary": HOSTILE},
                "startsAt": NOW.isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"of-{name}",
            }
            for name in names
        ],
    }


def with_signs(folder: Path) -> None:
    """A ledger that holds an anomaly and an early warning."""
    now = datetime.now(UTC)  # not of the import: other tests may have run for minutes since

    async def write() -> None:
        ledger = SqliteLedger(folder / "ledger.db")
        signs = [
            Sign(
                id="a1",
                kind=SignKind.ANOMALY,
                at=now,
                series=f'http_errors{{path="{HOSTILE}"}}',
                entity=Entity.service("cart"),
                aspect=Aspect.ERRORS,
                claim="5 is unusual: it jumped as it seldom does.",
                score=0.6,
            ),
            Sign(
                id="w1",
                kind=SignKind.WARNING,
                at=now,
                series="within 4:00:00: disk < 0",
                entity=Entity.parse("host:db-1"),
                aspect=Aspect.DISK,
                claim="disk full: It will be below 0 in 1.5 h.",
                score=0.8,
                due_at=now + timedelta(minutes=95),
            ),
        ]
        await ledger.append([of_sign(sign, at=now) for sign in signs], durable=True)
        ledger.close()

    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as aside:  # the player keeps a loop in this thread
        aside.submit(asyncio.run, write()).result()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=str(find("chromium")), args=FLAGS)
        page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 900})
        page.set_default_timeout(15_000)
        yield page
        browser.close()


def shot(page: Page, name: str) -> None:
    """A picture for a person to look at, where one is wanted."""
    if folder := os.environ.get("OPSMITH_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_incidents_come_live_and_people_answer_them(browser_page: Page, tmp_path: Path) -> None:
    page = browser_page
    with_signs(tmp_path)
    with running(tmp_path) as client:
        page.goto(str(client.base_url))
        expect(page.locator("#state")).to_have_text("live")
        expect(page.locator("#empty")).to_be_visible()

        client.post("/webhook/alertmanager", json=told("SlowCheckout", HOSTILE))
        card = page.locator(".incident").first
        expect(card.locator(".report")).to_be_visible()
        expect(card.locator(".badge")).to_have_text("open")
        shot(page, "incident")
        card.locator("details.alerts summary").click()
        expect(card.locator("details.alerts li")).to_have_count(2)
        assert page.title() == "opsmith"
        assert page.locator("main img").count() == 0

        card.locator("details.alerts input").first.check()
        card.locator(".split").click()
        expect(page.locator(".incident")).to_have_count(2)
        shot(page, "split")
        page.locator(".incident .merge select").first.select_option(index=1)
        expect(page.locator(".incident")).to_have_count(1)

        page.locator(".incident .reject").click()
        expect(page.locator(".incident .more")).to_contain_text("ruled out")
        (known,) = [i for i in client.get("/v1/incidents").json() if i["state"] != "merged"]
        client.post(
            f"/v1/incidents/{known['id']}/confirm",
            json={"entity": "service:db", "kind": "disk.full"},
        )
        expect(page.locator(".incident .badge")).to_have_text("confirmed")
        expect(page.locator(".incident .more")).to_contain_text("service:db disk.full")
        shot(page, "confirmed")


def test_anomalies_and_warnings_are_shown_in_both_languages(
    browser_page: Page, tmp_path: Path
) -> None:
    page = browser_page
    with_signs(tmp_path)
    with running(tmp_path, prometheus_url="http://127.0.0.1:9") as client:
        while client.get("/readyz").json()["ready"]:  # the page asks on opening, then each 15 s
            pass
        page.goto(str(client.base_url))
        expect(page.locator("#warnings .due")).to_contain_text("crosses in about 9")
        expect(page.locator("#anomalies .series")).to_contain_text("<img")
        expect(page.locator("#troubles")).to_contain_text("did not answer")
        assert page.title() == "opsmith"
        shot(page, "signs")

        page.locator("#anomalies .false").click()
        expect(page.locator("#anomalies .said")).to_have_text("noted")
        page.locator("#tongue").click()
        expect(page.locator("#warnings-title")).to_have_text("预警")
        expect(page.locator("#state")).to_have_text("实时")
        shot(page, "chinese")
        labels = client.get("/v1/signs").json()

    assert {one["id"] for one in labels} == {"a1", "w1"}


def test_a_break_is_said_and_made_up_for(browser_page: Page, tmp_path: Path) -> None:
    page = browser_page
    with running(tmp_path) as client:
        page.goto(str(client.base_url))
        expect(page.locator("#state")).to_have_text("live")
        httpx.post(f"{client.base_url}/webhook/alertmanager", content=json.dumps(told("Late")))
        expect(page.locator(".incident h3")).to_contain_text("Late")

    expect(page.locator("#state")).to_have_text("connection lost, trying again")
