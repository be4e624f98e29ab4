"""Second opinions: a model may say what is to be read, never what is to be changed."""

from dataclasses import dataclass

import pytest

from opsmith.nouns.task import Clarify, DecidedBy, Reading, Refused, Understood
from opsmith.parse.normalise import normalise
from opsmith.parse.reader import SentenceReader
from opsmith.parse.second import kinds_shown
from opsmith.testing.intent import ScriptedIntents


@dataclass
class Asked:
    reader: SentenceReader
    model: ScriptedIntents


def asked(reader: SentenceReader, text: str, intent: str, probability: float) -> Asked:
    shown_as = kinds_shown(reader.tagged(normalise(text)))
    model = ScriptedIntents({shown_as: (intent, probability)})
    return Asked(
        reader=SentenceReader(reader.catalogue, reader.schemas, intents=model), model=model
    )


def test_a_model_decides_where_the_words_decide_nothing(reader: SentenceReader) -> None:
    text = "cart, wherefore art thou groaning"
    with_model = asked(reader, text, "diagnose_incident", 0.7)

    reading, _ = with_model.reader.read(text)

    assert isinstance(reader.read(text)[0], Clarify)
    assert isinstance(reading, Understood)
    assert (reading.tasks[0].intent, dict(reading.tasks[0].slots)) == (
        "diagnose_incident",
        {"service": "cart"},
    )
    assert reading.decisions[0].by is DecidedBy.INTENT_MODEL


def test_a_change_that_only_a_model_sees_is_asked_about(reader: SentenceReader) -> None:
    text = "cart, thou hast 3 souls too few"
    reading, _ = asked(reader, text, "scale_service", 1.0).reader.read(text)

    assert isinstance(reading, Clarify)
    assert reading.tasks == ()
    assert "scale service" in reading.question


def test_a_model_is_not_asked_where_a_verb_decides(reader: SentenceReader) -> None:
    text = "search the logs of cart for timeouts"
    with_model = asked(reader, text, "query_metric", 1.0)

    reading, _ = with_model.reader.read(text)

    assert isinstance(reading, Understood)
    assert with_model.model.asked == []


def test_a_model_is_asked_about_a_text_without_names_only_where_it_can_change_something(
    reader: SentenceReader,
) -> None:
    model = ScriptedIntents({})
    both = SentenceReader(reader.catalogue, reader.schemas, intents=model)

    reading, _ = both.read("diagnose the incident and find its root cause")
    decided = list(model.asked)
    both.read("show me a picture of a cat")

    assert isinstance(reading, Understood | Clarify)
    assert decided == []
    assert model.asked == ["show me a picture of a cat"]


def test_a_noun_gives_way_only_to_a_sure_model(reader: SentenceReader) -> None:
    text = "there it is, the memory of cart"
    intents = [
        asked(reader, text, "detect_anomaly", sure).reader.read(text)[0].tasks[0].intent
        for sure in (0.7, 0.95)
    ]

    assert intents == ["query_metric", "detect_anomaly"]


@pytest.mark.parametrize(
    "text", ["show me the cpu of cart a fortnight on", "看一下 cart 的 CPU 两周开外的样子"]
)
def test_words_used_of_anything_give_way_to_a_sure_model(
    text: str, reader: SentenceReader
) -> None:
    sure, _ = asked(reader, text, "forecast_metric", 0.95).reader.read(text)
    unsure, _ = asked(reader, text, "forecast_metric", 0.85).reader.read(text)

    assert intents_of(sure) == ["forecast_metric"]
    assert intents_of(unsure) == ["query_metric"]


def intents_of(reading: Reading) -> list[str]:
    return [task.intent for task in reading.tasks] if not isinstance(reading, Refused) else []


@pytest.mark.parametrize("hidden", ['"reboot the node"', "`rm -rf /srv`"])
def test_quoted_text_is_not_shown_to_a_model(hidden: str, reader: SentenceReader) -> None:
    with_model = asked(reader, "x", "query_metric", 1.0)

    with_model.reader.read(f"cart whatever {hidden}")

    assert all(word not in "".join(with_model.model.asked) for word in ("reboot", "rm"))
