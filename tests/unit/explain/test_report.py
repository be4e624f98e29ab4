import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from builders.hostile import HOSTILE, NAMES, TEXTS, UNPRINTABLE
from builders.incidents import Incident, healthy, inconclusive, named, pool_exhausted
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from opsmith.explain.answer import schema
from opsmith.explain.report import explain
from opsmith.nouns.report import Report

INCIDENTS = [pool_exhausted, inconclusive, healthy]


def report_of(name: str = "cart", text: str = "slow") -> Report:
    incident = named(name, text)
    return explain(incident.diagnosis, incident.recording, top=5)


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@pytest.mark.parametrize("make", INCIDENTS)
def test_the_same_incident_gives_the_same_bytes(make: Callable[[], Incident]) -> None:
    first, second = (
        explain(incident.diagnosis, incident.recording, top=5) for incident in (make(), make())
    )

    assert first.text == second.text
    assert first.markdown == second.markdown
    assert first.html == second.html
    assert first.json == second.json


@pytest.mark.parametrize("make", INCIDENTS)
def test_every_form_says_the_verdict(make: Callable[[], Incident]) -> None:
    incident = make()
    report = explain(incident.diagnosis, incident.recording, top=5)
    heading = {
        "diagnosed": "Root cause found",
        "inconclusive": "No cause can be named",
        "healthy": "Nothing is ill",
    }[incident.diagnosis.status]

    for form in (report.text, report.markdown, report.html):
        assert heading in form
    assert json.loads(report.json)["status"] == incident.diagnosis.status


def test_the_page_holds_every_section_of_a_diagnosed_incident() -> None:
    incident = pool_exhausted()
    report = explain(incident.diagnosis, incident.recording, top=5)

    for section in ("Timeline", "Topology", "other candidates", "Ruled out", "Missing data"):
        assert section in report.html
        assert section in report.markdown
    assert "kubectl" in report.html or "psql" in report.html
    assert "hunter2" not in f"{report.html}{report.markdown}{report.text}{report.json}"


def test_a_healthy_incident_shows_no_cause_and_no_checks() -> None:
    incident = healthy()
    report = explain(incident.diagnosis, incident.recording, top=5)

    assert "Next checks" not in report.html
    assert "likeliest first" not in report.html
    assert json.loads(report.json)["causes"] == []


def test_only_the_wanted_number_of_causes_is_shown() -> None:
    incident = pool_exhausted()
    report = explain(incident.diagnosis, incident.recording, top=1)

    assert len(json.loads(report.json)["causes"]) == 1
    assert "2 less likely candidates are not shown" in report.text


@pytest.mark.parametrize("make", INCIDENTS)
def test_the_json_answer_follows_its_schema(make: Callable[[], Incident]) -> None:
    incident = make()
    report = explain(incident.diagnosis, incident.recording, top=5)

    Draft202012Validator(json.loads(schema())).validate(json.loads(report.json))


def test_the_json_answer_gives_the_path_cause_first_and_numbers_as_they_are() -> None:
    incident = pool_exhausted()
    said = json.loads(explain(incident.diagnosis, incident.recording, top=5).json)

    assert said["path"] == ["database:orders", "service:checkout", "service:frontend"]
    assert said["causes"][0]["confidence"] == 0.874
    assert said["causes"][0]["evidence"][0]["before"] == 12.0
    assert said["missing"][0]["part"] == "logs"


def test_numbers_that_json_does_not_know_become_null() -> None:
    incident = pool_exhausted()
    fact = replace(incident.diagnosis.causes[0].evidence[0], before=float("nan"), after=None)
    cause = replace(incident.diagnosis.causes[0], score=float("inf"), evidence=(fact,))
    report = explain(replace(incident.diagnosis, causes=(cause,)), incident.recording, top=1)

    said = json.loads(report.json)["causes"][0]
    assert said["score"] is None
    assert said["evidence"][0]["before"] is None


@pytest.mark.parametrize("make", INCIDENTS)
def test_the_page_loads_nothing_and_allows_nothing_but_its_own_style(
    make: Callable[[], Incident],
) -> None:
    incident = make()
    page = explain(incident.diagnosis, incident.recording, top=5).html
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert not re.search(r"(?i)\b(?:src|href)\s*=\s*[\"'](?!#)", page)
    assert not re.search(r"(?i)url\((?!#)|@import|<script|<link|<iframe|javascript:", page)


@settings(max_examples=40)
@given(name=NAMES, text=TEXTS)
def test_no_name_and_no_text_adds_an_element_or_an_attribute(name: str, text: str) -> None:
    plain = report_of(name, "slow")
    hostile = report_of(name, text)
    tags = {tag for tag, _ in Elements(report_of().html).shape} | {"pre", "code", "tr", "h3"}
    attributes = {one for _, names in Elements(report_of().html).shape for one in names}

    for page in (plain.html, hostile.html):
        shape = Elements(page).shape
        assert {tag for tag, _ in shape} <= tags
        assert {one for _, names in shape for one in names} <= attributes


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is_written(text: str) -> None:
    page = Elements(report_of(text, "slow").html)

    assert text in "".join(page.words)


@given(text=TEXTS)
@settings(max_examples=40)
def test_nothing_that_a_terminal_would_act_on_is_printed(text: str) -> None:
    report = report_of("cart", text)

    for form in (report.text, report.markdown, report.html, report.json):
        assert all(char.isprintable() or char == "\n" for char in form)


def test_what_cannot_be_printed_is_spelled_out() -> None:
    report = report_of("cart", UNPRINTABLE)

    assert r"\x1b[31mred" in report.text
    assert r"\u202eevil" in report.html
