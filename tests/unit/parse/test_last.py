"""The language model as the last step of reading: an opinion on reads, never a change."""

import json

import pytest

from opsmith.errors import OpsmithError, Unreachable
from opsmith.nouns.task import Clarify, DecidedBy, Reading, Understood
from opsmith.parse.catalogue import Catalogue
from opsmith.parse.last import intent_in, prompt_for
from opsmith.parse.loading import builtin_schemas
from opsmith.parse.reader import SentenceReader
from opsmith.seams.llm import Prompt

NAMES = Catalogue(services=frozenset({"cart", "payments"}))
# No word of it asks for a task, so that the rules leave it open.
OPEN = "cart, grumbling again?"
PROMPT_BYTES = 4_000


def said(intent: str, words: str) -> str:
    return json.dumps({"intent": intent, "words": words})


class Model:
    """Says one thing, or fails; keeps what it was asked."""

    def __init__(self, answer: str | OpsmithError) -> None:
        self.answer = answer
        self.prompts: list[Prompt] = []

    def __call__(self, prompt: Prompt) -> str:
        self.prompts.append(prompt)
        if isinstance(self.answer, OpsmithError):
            raise self.answer
        return self.answer


def read(text: str, model: Model | None) -> Reading:
    return SentenceReader(NAMES, builtin_schemas(), last=model).read(text)[0]


def test_what_nobody_understands_is_read_as_the_model_says_when_it_only_looks() -> None:
    assert isinstance(read(OPEN, None), Clarify)

    reading = read(OPEN, Model(said("check_health", "grumbling")))

    assert isinstance(reading, Understood)
    assert (reading.tasks[0].intent, reading.tasks[0].slots["service"]) == ("check_health", "cart")
    assert reading.decisions[0].by is DecidedBy.LANGUAGE_MODEL


def test_a_change_that_only_the_model_sees_is_asked_about() -> None:
    reading = read(OPEN, Model(said("restart_service", "grumbling again")))

    assert isinstance(reading, Clarify)
    assert "restart service" in reading.question
    assert reading.tasks == ()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I think it is fine.",
        "[]",
        '{"intent": "check_health"}',
        said("check_health", ""),
        said("check_health", "cart is down"),
        said("make_coffee", "cart"),
        said("none", "cart"),
        "[" * 5000,
        Unreachable("too slow"),
    ],
)
def test_nonsense_and_silence_leave_the_question(answer: str | OpsmithError) -> None:
    assert isinstance(read(OPEN, Model(answer)), Clarify)


@pytest.mark.parametrize(
    "text", ["restart cart", "p99 of cart", "write me a poem about rivers", "rm -rf / ; cart"]
)
def test_the_model_is_not_asked_where_somebody_else_decides(text: str) -> None:
    model = Model(said("check_health", text))
    read(text, model)

    assert model.prompts == []


def test_what_the_model_says_passes_the_schema_and_asks_for_what_is_missing() -> None:
    reading = read(OPEN, Model(said("query_metric", "grumbling")))

    assert isinstance(reading, Clarify)
    assert reading.missing == ("metric",)


@pytest.mark.parametrize("line", ["x" * 320, "订" * 320, "password=hunter2 " * 20])
def test_the_prompt_is_short_and_holds_no_secret(line: str) -> None:
    prompt = prompt_for(line, builtin_schemas())

    assert len(prompt.text.encode()) <= PROMPT_BYTES
    assert "hunter2" not in prompt.text
    assert "none" in json.loads(prompt.schema)["properties"]["intent"]["enum"]


def test_words_may_differ_in_case_and_spaces_alone() -> None:
    known = builtin_schemas()

    assert intent_in(said("check_health", "Grumbling  AGAIN"), OPEN, known) == "check_health"
    assert intent_in(said("check_health", "grumblingagain"), OPEN, known) == ""
