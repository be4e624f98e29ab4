"""OpenAI's own client against opsmith, over the wire: answers, streams, errors, who hangs up."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
from builders.asgi import serving
from builders.models import OllamaFront, Scripted, llama_server, weights, write_adapter
from builders.records import kept
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from opsmith.audit.principals import hashed, new_key, read_principals, with_principal
from opsmith.flows.infer import turns
from opsmith.flows.infer.breaker import FAILURES
from opsmith.http import problems
from opsmith.http.api import create
from opsmith.nouns.session import Principal, Role
from opsmith.settings import Settings
from opsmith.wiring.live import App
from opsmith.wiring.models import use

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@dataclass(frozen=True)
class House:
    """A client of the real app, and the model server behind that."""

    client: openai.OpenAI
    model: Scripted
    settings: Settings


@contextmanager
def house_of(settings: Settings, model: Scripted | None = None) -> Iterator[House]:
    api = create(App(settings, version="0"), key="")
    with (
        serving(api) as where,
        openai.OpenAI(base_url=f"{where}/v1", api_key="none", max_retries=0) as client,
    ):
        yield House(client, model or Scripted(), settings)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    model = Scripted()
    with serving(model.app) as where:
        settings = Settings(data_dir=tmp_path, llm_url=f"{where}/v1", llm_at_once=2)
        with house_of(settings, model) as found:
            yield found


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house for tests that leave nothing behind; starting one takes a second."""
    model = Scripted()
    with serving(model.app) as where:
        settings = Settings(data_dir=tmp_path_factory.mktemp("steady"), llm_url=f"{where}/v1")
        with house_of(settings, model) as found:
            yield found


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_an_answer_is_a_chat_completion(house: House) -> None:
    found = house.client.chat.completions.create(model="scripted", messages=HELLO)

    assert found.choices[0].message.content == "one two three"
    assert found.choices[0].finish_reason == "stop"
    assert found.model == "scripted"
    assert found.usage
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (5, 3)
    assert found.usage.total_tokens == 8
    assert abs(found.created - time.time()) < 60


def test_a_talk_and_how_to_answer_reach_the_model_without_secrets(house: House) -> None:
    talk: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "my password=hunter2"}]},
        {"role": "assistant", "content": "So?"},
        {"role": "user", "content": "forget it"},
    ]

    house.client.chat.completions.create(
        model="default",
        messages=talk,
        temperature=0.3,
        top_p=0.9,
        max_completion_tokens=7,
        stop=["END"],
        seed=11,
        n=1,
        tools=[],
        logprobs=False,
        user="somebody",
    )

    (asked,) = house.model.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "my password=[redacted]"},
        {"role": "assistant", "content": "So?"},
        {"role": "user", "content": "forget it"},
    ]
    names = ("model", "temperature", "top_p", "max_tokens", "stop", "seed")
    assert [asked[name] for name in names] == ["scripted", 0.3, 0.9, 7, ["END"], 11]
    assert "user" not in asked


def test_a_stream_ends_with_its_usage_where_it_is_wanted(house: House) -> None:
    stream = house.client.chat.completions.create(
        model="scripted", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )

    *chunks, last = list(stream)
    said = [chunk.choices[0].delta.content for chunk in chunks]
    assert said == ["", "one", " two", " three", None]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 4 + ["stop"]
    assert last.choices == []
    assert last.usage
    assert last.usage.total_tokens == 8
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_has_no_usage_where_it_is_not_wanted(steady: House) -> None:
    stream = steady.client.chat.completions.create(model="default", messages=HELLO, stream=True)

    assert [chunk.usage for chunk in stream] == [None] * 5


class Health(BaseModel):
    healthy: bool


def test_an_answer_is_parsed_by_the_schema_of_a_class(house: House) -> None:
    house.model.words = ('{"healthy"', ": false}")

    found = house.client.chat.completions.parse(
        model="default", messages=HELLO, response_format=Health
    )

    assert found.choices[0].message.parsed == Health(healthy=False)
    sent = house.model.asked[0]["response_format"]
    assert isinstance(sent, dict)
    assert sent["json_schema"]["schema"]["properties"]["healthy"]["type"] == "boolean"


def test_an_answer_that_fits_no_schema_goes_on_after_it_once_more(house: House) -> None:
    with pytest.raises(openai.InternalServerError) as told:
        house.client.chat.completions.create(
            model="default", messages=HELLO, response_format={"type": "json_object"}
        )

    assert told.value.status_code == 502
    assert [one["response_format"] for one in house.model.asked] == [{"type": "json_object"}] * 2
    again = house.model.asked[1]["messages"]
    assert isinstance(again, list)
    assert [one["role"] for one in again] == ["user", "assistant", "user"]


def test_the_models_are_listed_and_found(steady: House) -> None:
    assert [one.id for one in steady.client.models.list()] == ["default", "scripted"]
    assert steady.client.models.retrieve("scripted").object == "model"
    with pytest.raises(openai.NotFoundError) as told:
        steady.client.models.retrieve("org/other")
    assert told.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"tools": [TOOL]}, "tools", "unsupported_parameter"),
        ({"tool_choice": "auto"}, "tool_choice", "unsupported_parameter"),
        ({"n": 2}, "n: it is not supported", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"logit_bias": {"1": 5}}, "logit_bias", "unsupported_parameter"),
        ({"presence_penalty": 0.5}, "presence_penalty", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter"),
        ({"no_such": 1}, "no_such", "unknown_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "different things", None),
        ({"stop": ["a"] * 5}, "stop", None),
        ({"model": "../x; rm"}, "model", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "image", "unsupported_parameter"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role", "invalid_value"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "user's", None),
        ({"messages": [{"role": "user", "content": "  "}]}, "empty", None),
        ({"messages": [{"role": "user", "content": "a\x1b[31m"}]}, "U+001B", "invalid_value"),
        ({"messages": [{"role": "user", "content": "x" * 40_000}] * 2}, "longer", None),
        ({"messages": [{"role": "user", "name": "ann", "content": "x"}]}, "name", None),
        ({"response_format": {"type": "json_schema"}}, "json_schema", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stream_options": {"other": 1}}, "stream_options", "unknown_parameter"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_both_forms(
    steady: House, more: dict[str, object], param: str, code: str | None
) -> None:
    asked: dict[str, object] = {"model": "default", "messages": HELLO, **more}

    with pytest.raises(openai.BadRequestError) as told:
        steady.client.post("/chat/completions", body=asked, cast_to=object)

    assert told.value.type == "invalid_request_error"
    assert param in told.value.message
    assert code is None or told.value.code == code
    assert code is None or next(iter(more)) in str(told.value.param)
    assert told.value.response.headers["content-type"] == "application/problem+json"
    assert told.value.response.json()["status"] == 400
    assert not [one for one in steady.model.asked if one["messages"] != HELLO]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b'{"messages": "\xff"}'])
def test_a_body_that_is_none_is_an_error_of_openai(steady: House, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    with pytest.raises(openai.BadRequestError) as told:
        steady.client.post(
            "/chat/completions", content=body, cast_to=object, options={"headers": headers}
        )

    assert told.value.type == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("mood", "status", "wait"), [("error", 503, "5"), ("busy", 503, "7"), ("nonsense", 502, None)]
)
def test_a_bad_day_of_the_model_has_a_status(
    house: House, mood: str, status: int, wait: str | None, *, stream: bool
) -> None:
    house.model.mood = mood

    with pytest.raises(openai.InternalServerError) as told:
        house.client.chat.completions.create(model="default", messages=HELLO, stream=stream)

    assert told.value.status_code == status
    assert told.value.response.headers.get("retry-after") == wait
    assert told.value.type == "server_error"
    assert "abcdef123456" not in str(told.value)


@pytest.mark.parametrize(("mood", "asked"), [("nonsense", 1), ("error", 3)])
def test_what_a_second_try_would_not_mend_is_not_tried_again(
    house: House, mood: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "RETRY_AFTER_S", 0.01)
    house.model.mood = mood
    patient = house.client.with_options(max_retries=2)

    with pytest.raises(openai.InternalServerError):
        patient.chat.completions.create(model="default", messages=HELLO)

    assert len(house.model.asked) == asked


def test_a_stream_that_is_cut_raises_at_the_client(house: House) -> None:
    house.model.mood = "cut"
    stream = house.client.chat.completions.create(model="default", messages=HELLO, stream=True)

    with pytest.raises(openai.APIError, match="cut off"):
        list(stream)


def test_a_request_has_a_deadline_of_its_own(house: House) -> None:
    house.model.mood = "slow"

    with pytest.raises(openai.InternalServerError, match="in time"):
        house.client.chat.completions.create(
            model="default", messages=HELLO, extra_body={"timeout_s": 0.2}
        )


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_stops_the_model(house: House, *, stream: bool) -> None:
    house.model.mood, house.model.pause_s = "endless", 0.01
    chat = house.client.chat.completions

    if stream:
        with chat.create(model="default", messages=HELLO, stream=True) as chunks:
            next(iter(chunks))
    else:
        with pytest.raises(openai.APITimeoutError):
            chat.create(model="default", messages=HELLO, timeout=0.3)

    until(lambda: house.model.left == 1)


def test_who_asks_for_more_than_its_share_is_told_when_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_WAITING_EACH", 0)
    house.model.mood, house.model.pause_s = "endless", 0.01
    chat = house.client.chat.completions
    running = [chat.create(model="default", messages=HELLO, stream=True) for _ in range(2)]

    with pytest.raises(openai.RateLimitError) as told:
        chat.create(model="default", messages=HELLO)
    for stream in running:
        stream.close()

    assert told.value.type == "rate_limit_error"
    assert told.value.code == "rate_limit_exceeded"
    assert int(told.value.response.headers["retry-after"]) >= 1


def test_a_model_that_keeps_failing_is_left_alone(house: House) -> None:
    house.model.mood = "error"
    chat = house.client.chat.completions
    for _ in range(FAILURES):
        with pytest.raises(openai.InternalServerError):
            chat.create(model="default", messages=HELLO)
    asked = len(house.model.asked)

    with pytest.raises(openai.InternalServerError, match="left alone") as told:
        chat.create(model="default", messages=HELLO)

    assert told.value.code == "overloaded"
    assert len(house.model.asked) == asked


def test_a_principal_is_let_in_by_its_key_and_noted(tmp_path: Path) -> None:
    model = Scripted()
    ann = Principal(name="ann", role=Role.VIEWER, tenant="shop")
    key = new_key("ann")
    principals = read_principals(with_principal("", ann, hashed(key)))
    with serving(model.app) as upstream:
        app = App(Settings(data_dir=tmp_path, llm_url=f"{upstream}/v1"), version="0")
        with (
            serving(create(app, key="", principals=principals)) as where,
            openai.OpenAI(base_url=f"{where}/v1", api_key=key, max_retries=0) as client,
        ):
            client.chat.completions.create(model="default", messages=HELLO)
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key="wrong").models.list()

    (noted,) = kept(tmp_path, "request")
    assert (noted.entry.principal, noted.entry.tenant) == ("ann", "shop")
    assert "/v1/chat/completions" in noted.entry.body


def test_without_a_model_it_says_how_to_choose_one(tmp_path: Path) -> None:
    with (
        house_of(Settings(data_dir=tmp_path)) as house,
        pytest.raises(openai.InternalServerError, match="opsmith model use"),
    ):
        house.client.chat.completions.create(model="default", messages=HELLO)


@contextmanager
def a_file() -> Iterator[str]:
    yield str(weights())


@contextmanager
def openai_server() -> Iterator[str]:
    with llama_server() as where:
        yield f"{where}/v1"


@contextmanager
def ollama() -> Iterator[str]:
    with (
        llama_server() as where,
        serving(OllamaFront(where, name="llama3:8b").app) as front,
    ):
        yield front.replace("http://", "ollama://")


@pytest.mark.needs_model
@pytest.mark.parametrize("opened", [a_file, openai_server, ollama])
def test_a_real_model_goes_on_with_a_talk_behind_every_backend(
    opened: Callable[[], AbstractContextManager[str]], tmp_path: Path
) -> None:
    talk: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "You answer with a single word."},
        {"role": "user", "content": "My name is Zebra."},
        {"role": "assistant", "content": "Hello, Zebra."},
        {"role": "user", "content": "What is my name?"},
    ]
    with (
        opened() as url,
        house_of(Settings(data_dir=tmp_path, llm_url=url, llm_context=2048)) as house,
    ):
        chat = house.client.chat.completions
        said = chat.create(model="default", messages=talk, temperature=0, max_tokens=24)
        drawn = [
            chat.create(model="default", messages=HELLO, temperature=1.5, seed=5, max_tokens=16)
            for _ in range(2)
        ]
        parsed = chat.parse(
            model="default", messages=talk, response_format=Health, max_tokens=64, temperature=0
        )
        chunks = list(chat.create(model="default", messages=talk, stream=True, max_tokens=8))

    assert "Zebra" in (said.choices[0].message.content or "")
    assert drawn[0].choices[0].message.content == drawn[1].choices[0].message.content
    assert isinstance(parsed.choices[0].message.parsed, Health)
    assert chunks[-1].choices[0].finish_reason in {"stop", "length"}


@pytest.mark.needs_model
def test_an_adapter_is_taken_up_while_a_stream_runs_and_a_bad_one_is_not(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "ours.gguf")
    settings = Settings(
        data_dir=tmp_path, llm_at_once=2, llm_context=1024, hot_reload_interval_ms=50
    )
    asyncio.run(use(settings, str(weights()), "", ""))
    with house_of(settings) as house:
        chat = house.client.chat.completions

        def answers() -> str:
            return chat.create(model="default", messages=HELLO, max_tokens=1).model

        bare = answers()
        long = chat.create(
            model="default", messages=HELLO, stream=True, max_tokens=400, temperature=0
        )
        started = next(iter(long)).id
        asyncio.run(use(settings, "", "", str(adapter)))
        until(lambda: answers() == f"{bare}+ours")
        ended = list(long)[-1]
        write_adapter(tmp_path / "next.gguf", width=500).replace(adapter)
        until(lambda: len(swaps(tmp_path)) == 2)
        still = answers()

    assert (ended.id, ended.model) == (started, bare)
    assert ended.choices[0].finish_reason in {"stop", "length"}
    assert still == f"{bare}+ours"
    taken, refused = swaps(tmp_path)
    assert (taken["adapter"], taken["refused"]) == (str(adapter), "")
    assert "cannot load" in str(refused["refused"])


def swaps(folder: Path) -> list[dict[str, object]]:
    return [json.loads(one.entry.body) for one in kept(folder, "adapter")]
