"""Sentences of our own in both languages, each with the tasks it must become.

They were written for this project from the grammar of operations, read, and corrected by hand.
"""

import json
from pathlib import Path

import pytest

from opsmith.nouns.task import Clarify, Refused, Understood
from opsmith.parse.dialogue import State
from opsmith.parse.reader import SentenceReader
from opsmith.parse.showing import as_json, as_text

LINES = [
    json.loads(line)
    for line in (Path(__file__).parent / "sentences.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["id"])
def test_a_sentence_becomes_its_tasks(line: dict, reader: SentenceReader) -> None:
    state = State()
    for turn in line.get("context", []):
        heard = turn["role"] == "assistant"
        state = state.heard(turn["text"]) if heard else reader.read(turn["text"], state)[1]

    found = as_json(reader.read(line["text"], state)[0])

    tasks = [{k: v for k, v in task.items() if k != "risk"} for task in found["tasks"]]
    assert (found["outcome"], tasks) == (line["outcome"], line["tasks"])
    assert found.get("missing", []) == line["missing"]
    assert found.get("risk") == line.get("risk")


def test_a_reading_says_who_decided_and_why(reader: SentenceReader) -> None:
    reading, _ = reader.read("restart all services")

    assert isinstance(reading, Refused)
    assert str(reading.decisions[0].by) == "gate"
    assert reading.reason in as_text(reading)


def test_a_stated_zone_goes_with_the_tasks(reader: SentenceReader) -> None:
    reading, _ = reader.read("show the logs of cart from 14:00 to 15:00 UTC")

    assert isinstance(reading, Understood)
    assert reading.zone == "UTC"
    assert dict(reading.tasks[0].slots) == {"service": "cart", "start": "14:00", "end": "15:00"}


def test_an_unknown_service_is_asked_about_with_the_nearest_name(reader: SentenceReader) -> None:
    reading, _ = reader.read("restart payment-servic")

    assert isinstance(reading, Clarify)
    assert "payment-service" in reading.question


def test_a_word_that_two_services_share_is_asked_about(reader: SentenceReader) -> None:
    reading, _ = reader.read("restart mysql")

    assert isinstance(reading, Clarify)
    assert "mysql-primary, mysql-replica" in reading.question


def test_what_was_mentioned_is_forgotten_after_some_turns(reader: SentenceReader) -> None:
    state = reader.read("check the health of cart")[1]
    for _ in range(4):
        state = reader.read("what is the capital of France", state)[1]

    assert isinstance(reader.read("restart it", state)[0], Clarify)


def test_a_yes_without_an_offer_changes_nothing(reader: SentenceReader) -> None:
    state = reader.read("check the health of cart")[1].heard("cart: 1 of 3 is not ready.")

    assert not isinstance(reader.read("yes", state)[0], Understood)


@pytest.mark.parametrize(
    "text", ["restart cart tomorrow at 02:00", "scale cart to 3 in two hours"]
)
def test_a_change_for_later_is_not_made_now(text: str, reader: SentenceReader) -> None:
    reading, _ = reader.read(text)

    assert isinstance(reading, Clarify)
    assert "schedule" in reading.missing
