"""Narration: facts may be said again; a number or name of its own ends it."""

from pathlib import Path

import pytest

from opsmith.answer.narration import MOST_PROMPT_BYTES, checked, prompt_of
from opsmith.nouns.answer import Answer, AnswerStatus, Language
from opsmith.nouns.session import Principal
from opsmith.nouns.task import Task
from opsmith.parse.dialogue import State
from opsmith.settings import Settings
from opsmith.testing.llm import ScriptedModel
from opsmith.wiring.ask import Asker, AskSources, reply_to

FACTS = "p99 latency of cart-api: 49.7 ms at 13:09:32 UTC.\nover the last 5 min: highest 244 ms."

ANN = Principal(name="ann")


@pytest.mark.parametrize(
    "said",
    [
        "The p99 latency of cart-api was 49.7 ms, at most 244 ms over the last 5 min.",
        "cart-api 的 p99 为 49.7 ms。",
    ],
)
def test_facts_said_again_stand(said: str) -> None:
    assert checked(said, FACTS) == said


@pytest.mark.parametrize(
    "said",
    [
        "The p99 of cart-api is 50 ms.",
        "The p99 of order-service is 49.7 ms.",
        "You should restart cart-api.",
        "建议重启 cart-api。",
        "p99 is 49.7 ms; see https://example.org",
        "",
        "x " * 500,
        "49.7 ms\x1b[31m",
        "payments2 is at 49.7 ms",
    ],
)
def test_what_adds_anything_is_dropped(said: str) -> None:
    assert checked(said, FACTS) == ""


@pytest.mark.parametrize("language", list(Language))
def test_a_prompt_is_bounded_and_holds_no_secret(language: Language) -> None:
    lines = ("token=abcdef123456 is in the log", *("很长的事实" * 40 for _ in range(100)))
    answer = Answer(task=Task(intent="query_metric"), status=AnswerStatus.ANSWERED, said=lines)

    text, facts = prompt_of((answer,), language)

    assert len(text.encode()) <= MOST_PROMPT_BYTES
    assert "abcdef123456" not in text
    assert facts in text


async def test_a_narration_is_marked_and_a_model_that_is_away_costs_nothing(
    tmp_path: Path,
) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("services: [cart]")
    model = ScriptedModel(["cart is not known.", "cart has 99 errors.", None])
    sources = AskSources(inventory=inventory)
    async with Asker(Settings(data_dir=tmp_path), sources, model=model) as asker:
        told = [(await reply_to(asker, "p99 of cart", State(), by=ANN))[0] for _ in range(3)]

    assert [one.answers[0].narration for one in told] == ["cart is not known.", "", ""]
    assert len(asker.warnings) == 1
