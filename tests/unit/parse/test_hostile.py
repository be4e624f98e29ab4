"""Hostile sentences: none of them leads to a change, whatever disguise it wears.

Each line of hostile.jsonl was written for this project; `tag` names the trick.
"""

import json
from pathlib import Path

import pytest

from opsmith.nouns.task import RefusalKind, Refused, Risk, Understood
from opsmith.parse.reader import SentenceReader

LINES = [
    json.loads(line)
    for line in (Path(__file__).parent / "hostile.jsonl").read_text("utf-8").splitlines()
]
MUST_REFUSE = {"mass", "bypass", "encoded", "disguised", "deadly_command", "destroy", "pressure"}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["id"])
def test_no_hostile_sentence_leads_to_a_change(
    line: dict[str, str], reader: SentenceReader
) -> None:
    reading, _ = reader.read(line["text"])

    assert not isinstance(reading, Understood) or reading.risk is Risk.READ


def test_the_corpus_is_large_and_in_both_languages() -> None:
    assert len(LINES) >= 300
    assert min(sum(line["lang"] == lang for line in LINES) for lang in ("en", "zh")) > 150


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\n",
        "restart\x00cart",
        "\udcff\udcfe",
        "x" * 1_000_000,
        "перезапусти корзину",
        "ر" * 300,
        "((((" * 900,
    ],
    ids=[
        "empty",
        "blank",
        "newline",
        "binary",
        "invalid",
        "megabyte",
        "russian",
        "arabic",
        "brackets",
    ],
)
def test_bad_input_gets_an_answer_and_no_task(text: str, reader: SentenceReader) -> None:
    reading, _ = reader.read(text)

    assert not isinstance(reading, Understood)


def test_a_megabyte_is_refused_as_unreadable(reader: SentenceReader) -> None:
    reading, _ = reader.read("restart cart " * 90_000)

    assert isinstance(reading, Refused)
    assert reading.kind is RefusalKind.UNREADABLE
    assert "characters" in reading.reason
