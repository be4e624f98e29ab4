"""POST /v1/infer over the wire: one form of answer, problems, events, and who hangs up."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from builders.asgi import asking, serving
from builders.models import Scripted, weights

from opsmith.http.api import create
from opsmith.settings import Settings
from opsmith.wiring.live import App


@dataclass(frozen=True)
class House:
    """The real app, and the model server behind it."""

    client: httpx.Client
    model: Scripted
    settings: Settings


@contextmanager
def house_of(settings: Settings, model: Scripted) -> Iterator[House]:
    api = create(App(settings, version="0"), key="")
    with asking(api, timeout_s=60) as client:
        yield House(client, model, settings)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    model = Scripted()
    with serving(model.app) as where:
        names = tmp_path / "inventory.yaml"
        names.write_text("services: [cart]")
        settings = Settings(
            data_dir=tmp_path, llm_url=f"{where}/v1", llm_at_once=2, inventory_file=names
        )
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


def events_of(text: str) -> list[tuple[str, dict[str, object]]]:
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [
        (part[0].removeprefix("event: "), json.loads(part[1].removeprefix("data: ")))
        for part in parts
    ]


def until(true: object) -> None:
    ends = time.monotonic() + 10
    while not (true() if callable(true) else true):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_an_answer_has_one_form(house: House) -> None:
    found = house.client.post("/v1/infer", json={"prompt": "hello", "temperature": 0.5})

    assert found.status_code == 200
    told = found.json()
    timings = told.pop("timings")
    assert told == {
        "text": "one two three",
        "model": "scripted",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 5, "answer_tokens": 3},
        "redacted": False,
    }
    assert 0 < timings["first_s"] <= timings["total_s"]
    assert house.model.asked[0]["temperature"] == 0.5


def test_a_stream_has_typed_events_and_ends_with_the_usage(house: House) -> None:
    found = house.client.post("/v1/infer", json={"prompt": "hello", "stream": True})

    events = events_of(found.text)
    assert [kind for kind, _ in events] == ["start", "token", "token", "token", "done"]
    assert (
        "".join(str(body["text"]) for kind, body in events if kind == "token")
        == (events[-1][1]["text"])
    )
    assert events[-1][1]["usage"] == {"prompt_tokens": 5, "answer_tokens": 3}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"prompt": ""}',
        b'{"prompt": "  \\n"}',
        b'{"prompt": "a\\u0000b"}',
        b'{"prompt": "a\\u001b[31mb"}',
        b'{"prompt": "a\\ud800b"}',
        b'{"prompt": 7}',
        json.dumps({"prompt": "x" * 64_001}).encode(),
        b'{"prompt": "x", "temperature": 2.1}',
        b'{"prompt": "x", "temperature": -0.1}',
        b'{"prompt": "x", "temperature": NaN}',
        b'{"prompt": "x", "temperature": "0"}',
        b'{"prompt": "x", "max_tokens": 0}',
        b'{"prompt": "x", "max_tokens": 99999999}',
        b'{"prompt": "x", "timeout_s": 0}',
        b'{"prompt": "x", "timeout_s": 601}',
        b'{"prompt": "x", "model": "../../etc/passwd; rm"}',
        b'{"prompt": "x", "schema": {"type": "nothing"}}',
        b'{"prompt": "x", "schema": {"$ref": "http://127.0.0.1/x"}}',
        b'{"prompt": "x", "schema": "object"}',
        b'{"prompt": "x", "answer_schema": {}}',
        b'{"prompt": "x", "unknown": 1}',
        b'{"prompt": "x", "\\ud800": 1}',
        b'{"prompt": "\xff"}',
    ],
)
def test_what_no_model_should_see_is_a_problem(steady: House, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    found = steady.client.post("/v1/infer", content=body, headers=headers)

    assert found.status_code in {400, 422}
    assert found.headers["content-type"] == "application/problem+json"
    assert not steady.model.asked


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("mood", "status", "wait"), [("error", 503, "5"), ("busy", 503, "7"), ("nonsense", 502, None)]
)
def test_a_bad_day_of_the_model_has_a_status(
    house: House, mood: str, status: int, wait: str | None, *, stream: bool
) -> None:
    house.model.mood = mood

    found = house.client.post("/v1/infer", json={"prompt": "x", "stream": stream})

    assert found.status_code == status
    assert found.headers.get("retry-after") == wait
    assert "abcdef123456" not in found.text


def test_a_stream_that_is_cut_ends_with_an_error(house: House) -> None:
    house.model.mood = "cut"

    found = house.client.post("/v1/infer", json={"prompt": "x", "stream": True})

    *_, (kind, problem) = events_of(found.text)
    assert (kind, problem["status"]) == ("error", 502)


def test_a_prompt_has_a_deadline_of_its_own(house: House) -> None:
    house.model.mood = "slow"

    found = house.client.post("/v1/infer", json={"prompt": "x", "timeout_s": 0.2})

    assert found.status_code == 503
    assert "in time" in found.json()["detail"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_hangs_up_stops_the_model(house: House, *, stream: bool) -> None:
    house.model.mood, house.model.pause_s = "endless", 0.01
    asked = {"prompt": "x", "stream": stream}

    if stream:
        with house.client.stream("POST", "/v1/infer", json=asked) as found:
            next(found.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            house.client.post("/v1/infer", json=asked, timeout=0.3)

    until(lambda: house.model.left == 1)
    house.model.mood = "well"
    assert house.client.post("/v1/infer", json={"prompt": "x"}).status_code == 200


async def test_more_than_the_places_wait_and_all_are_answered(house: House) -> None:
    house.model.pause_s = 0.01
    url = f"{house.client.base_url}/v1/infer"
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        found = await asyncio.gather(
            *(client.post(url, json={"prompt": "x", "stream": True}) for _ in range(100))
        )

    assert {one.status_code for one in found} == {200}
    assert all(one.text.count("event: token") == 3 for one in found)


def test_without_a_model_it_says_how_to_choose_one(tmp_path: Path) -> None:
    with house_of(Settings(data_dir=tmp_path), Scripted()) as house:
        found = house.client.post("/v1/infer", json={"prompt": "x"})

    assert found.status_code == 501
    assert "opsmith model use" in found.json()["detail"]


def test_an_answer_is_told_again_by_the_model_when_asked(house: House) -> None:
    house.model.words = ("Nothing can be asked until", " OPSMITH_PROMETHEUS_URL is set.")
    asked = {"question": "p99 of cart", "narrate": True}

    told = house.client.post("/v1/ask", json=asked).json()
    plain = house.client.post("/v1/ask", json={"question": "p99 of cart"}).json()

    assert told["answers"][0]["narration"] == (
        "Nothing can be asked until OPSMITH_PROMETHEUS_URL is set."
    )
    assert plain["answers"][0]["narration"] is None
    assert len(house.model.asked) == 1


def test_nobody_is_there_to_narrate_without_a_model(tmp_path: Path) -> None:
    with house_of(Settings(data_dir=tmp_path), Scripted()) as house:
        found = house.client.post("/v1/ask", json={"question": "p99 of cart", "narrate": True})

    assert found.status_code == 501


def test_what_is_asked_is_counted(house: House) -> None:
    house.client.post("/v1/infer", json={"prompt": "x"})
    house.model.mood = "error"
    house.client.post("/v1/infer", json={"prompt": "x"})

    counted = house.client.get("/metrics").text
    assert 'opsmith_model_prompts_total{outcome="answered"} 1.0' in counted
    assert 'opsmith_model_prompts_total{outcome="Unreachable"} 1.0' in counted
    assert "opsmith_model_answer_tokens_total 3.0" in counted


@pytest.mark.needs_model
def test_a_real_model_answers_by_schema_and_in_a_stream(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, llm_url=str(weights()), llm_context=2048)
    schema = {
        "type": "object",
        "properties": {"healthy": {"type": "boolean"}},
        "required": ["healthy"],
    }
    with house_of(settings, Scripted()) as house:
        asked = {"prompt": "Is a service with 90% errors healthy?", "schema": schema}
        found = house.client.post("/v1/infer", json=asked).json()
        streamed = house.client.post(
            "/v1/infer", json={"prompt": "Say hello.", "max_tokens": 8, "stream": True}
        )

    assert isinstance(found["value"]["healthy"], bool)
    events = events_of(streamed.text)
    assert events[-1][0] == "done"
    assert len(events) > 4
