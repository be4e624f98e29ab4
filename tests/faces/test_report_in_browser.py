"""Reports opened in a real Chromium: nothing in them runs, nothing is fetched."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders.hostile import HOSTILE
from builders.incidents import healthy, inconclusive, named, pool_exhausted
from opsmith_lab.components import find

from opsmith.explain.report import explain

pytestmark = pytest.mark.needs_browser

# Quiet on a machine without a network and without a display.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
PNG = b"\x89PNG\r\n\x1a\n"


def chromium(tmp_path: Path, page: Path, *arguments: str) -> str:
    done = subprocess.run(
        [
            str(find("chromium")),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            *arguments,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def write(tmp_path: Path, page: str) -> Path:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.title = ""
        self._in_title = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self._in_title = tag == "title" and not self.title

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title, self._in_title = data, False


def test_the_browser_would_run_a_script_that_got_through(tmp_path: Path) -> None:
    page = write(tmp_path, "<title>calm</title><script>document.title='owned'</script>")

    assert Tags(chromium(tmp_path, page, "--dump-dom")).title == "owned"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_name_or_text_runs_or_becomes_an_element(tmp_path: Path, text: str) -> None:
    incident = named(text, text)
    plain = named("cart", "slow")
    page = explain(incident.diagnosis, incident.recording, top=5).html
    known = Tags(explain(plain.diagnosis, plain.recording, top=5).html)

    dom = Tags(chromium(tmp_path, write(tmp_path, page), "--dump-dom"))

    assert dom.title.startswith("Root cause found · ")
    assert dom.title != "owned"
    assert dom.seen - known.seen <= {"pre", "code", "ol", "li"}
    assert not dom.attributes - known.attributes


def test_the_policy_stops_what_escaping_would_let_through(tmp_path: Path) -> None:
    incident = pool_exhausted()
    page = explain(incident.diagnosis, incident.recording, top=5).html
    torn = page.replace(
        "</main>",
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
        "<style>body{display:none}</style></main>",
    )

    dom = Tags(chromium(tmp_path, write(tmp_path, torn), "--dump-dom"))

    assert dom.title.startswith("Root cause found")


@pytest.mark.parametrize("make", [pool_exhausted, inconclusive, healthy])
def test_the_style_is_accepted_and_the_page_can_be_drawn_and_printed(
    tmp_path: Path, make: type
) -> None:
    incident = make()
    page = write(tmp_path, explain(incident.diagnosis, incident.recording, top=5).html)
    picture, paper = tmp_path / "page.png", tmp_path / "page.pdf"

    chromium(tmp_path, page, f"--screenshot={picture}", "--window-size=390,844")
    chromium(tmp_path, page, f"--print-to-pdf={paper}")

    assert picture.read_bytes().startswith(PNG)
    assert re.match(rb"%PDF-1\.", paper.read_bytes())
