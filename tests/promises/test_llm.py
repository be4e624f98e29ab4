"""The promises of the language model seam, kept by every backend over the wire."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from builders.asgi import serving
from builders.models import OllamaFront, Scripted, llama_server, weights, write_adapter

from opsmith.backends.llm.embedded import LlamaModel
from opsmith.backends.llm.ollama import OllamaModel
from opsmith.backends.llm.openai import OpenAiModel
from opsmith.errors import BadAnswer, BadInput, MissingExtra, NotFound, Overloaded, Unreachable
from opsmith.seams.llm import LanguageModel, Prompt
from opsmith.testing.llm import CHECKS, LONG, SAYS, ScriptedModel

SOON = timedelta(seconds=10)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - another thread or process is watched
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def real_server() -> Iterator[str]:
    with llama_server() as where:
        yield where


async def in_a_process(_: str) -> AsyncIterator[LanguageModel]:
    async with aclosing(LlamaModel(weights(), context=2048, at_once=1, threads=1)) as model:
        yield model


async def of_openai(where: str) -> AsyncIterator[LanguageModel]:
    async with aclosing(OpenAiModel(f"{where}/v1")) as model:
        yield model


async def of_ollama(where: str) -> AsyncIterator[LanguageModel]:
    with serving(OllamaFront(where, name="llama3:8b").app) as front:
        async with aclosing(OllamaModel(front, context=2048, keep_alive="1m")) as model:
            yield model


@pytest.mark.needs_model
@pytest.mark.parametrize("opened", [in_a_process, of_openai, of_ollama])
async def test_a_real_model_keeps_the_promises(
    opened: Callable[[str], AsyncIterator[LanguageModel]], real_server: str
) -> None:
    async with aclosing(opened(real_server)) as models:  # type: ignore[type-var]
        async for model in models:
            for check in CHECKS:
                await check(model)


@pytest.mark.parametrize("check", CHECKS)
async def test_the_scripted_double_keeps_the_promises(
    check: Callable[[LanguageModel], Awaitable[None]],
) -> None:
    await check(ScriptedModel([SAYS] * 3))


@pytest.fixture
def server() -> Iterator[tuple[Scripted, str]]:
    scripted = Scripted()
    with serving(scripted.app) as where:
        yield scripted, where


DIALECTS: list[Callable[[str], LanguageModel]] = [
    lambda where: OpenAiModel(f"{where}/v1", key="secret"),
    lambda where: OllamaModel(where, model="scripted", context=8192, keep_alive="1m"),
]
PROMPT = Prompt(text="hello", max_tokens=16)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("mood", "error"),
    [
        ("error", Unreachable),
        ("busy", Overloaded),
        ("cut", BadAnswer),
        ("nonsense", BadAnswer),
        ("locked", BadAnswer),
        ("slow", Unreachable),
    ],
)
async def test_a_bad_day_is_an_error_of_ours(
    dialect: Callable[[str], LanguageModel],
    mood: str,
    error: type[Exception],
    server: tuple[Scripted, str],
) -> None:
    scripted, where = server
    scripted.mood = mood
    within = timedelta(seconds=0.3) if mood == "slow" else SOON

    async with aclosing(dialect(where)) as model:
        with pytest.raises(error) as told:
            await model.complete(PROMPT, within=within)

    assert "abcdef123456" not in str(told.value)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_server_that_is_away_is_unreachable(
    dialect: Callable[[str], LanguageModel],
) -> None:
    async with aclosing(dialect("http://127.0.0.1:9")) as model:
        with pytest.raises(Unreachable):
            await model.complete(PROMPT, within=SOON)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_who_leaves_is_heard_by_the_server(
    dialect: Callable[[str], LanguageModel], server: tuple[Scripted, str]
) -> None:
    scripted, where = server
    scripted.mood, scripted.pause_s = "endless", 0.01

    async with (
        aclosing(dialect(where)) as model,
        aclosing(model.stream(PROMPT, within=SOON)) as pieces,
    ):
        assert await anext(pieces) == "one"
        await pieces.aclose()
        await until(lambda: scripted.left == 1)


async def test_ollama_is_given_schema_context_and_keep_alive(
    server: tuple[Scripted, str],
) -> None:
    scripted, where = server
    async with aclosing(OllamaModel(where, context=4096, keep_alive="7m")) as model:
        await model.complete(Prompt(text="x", schema='{"type": "object"}'), within=SOON)

    (asked,) = scripted.asked
    assert asked["model"] == "llama3:8b"
    assert asked["format"] == {"type": "object"}
    assert asked["keep_alive"] == "7m"
    assert asked["options"] == {"num_ctx": 4096, "num_predict": 512, "temperature": 0.0}


async def test_a_prompt_that_ollama_would_cut_is_refused(server: tuple[Scripted, str]) -> None:
    async with aclosing(OllamaModel(server[1], context=1024, keep_alive="1m")) as model:
        with pytest.raises(BadInput, match="context holds 1024"):
            await model.complete(Prompt(text="很" * 600, max_tokens=200), within=SOON)


@pytest.mark.needs_model
async def test_a_model_that_ollama_lacks_is_named_with_what_to_do(real_server: str) -> None:
    with serving(OllamaFront(real_server, name="llama3:8b").app) as front:
        async with aclosing(OllamaModel(front, model="x", context=2048, keep_alive="1")) as model:
            with pytest.raises(NotFound, match="ollama pull x"):
                await model.complete(PROMPT, within=SOON)


def test_without_the_extra_a_file_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    with pytest.raises(MissingExtra, match=r"pip install 'opsmith\[llm\]'"):
        LlamaModel(weights(), context=512, at_once=1, threads=1)


@pytest.mark.needs_model
async def test_a_file_that_is_damaged_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(weights().read_bytes()[:100_000])

    async with aclosing(LlamaModel(broken, context=512, at_once=1, threads=1)) as model:
        with pytest.raises(Unreachable, match="cannot load broken"):
            await model.complete(PROMPT, within=LONG)


@pytest.mark.needs_model
async def test_a_model_whose_process_died_is_started_again() -> None:
    async with aclosing(LlamaModel(weights(), context=512, at_once=1, threads=1)) as model:
        await model.complete(PROMPT, within=LONG)
        assert model.pid
        os.kill(model.pid, signal.SIGKILL)
        await until(lambda: not model.pid)

        assert (await model.complete(PROMPT, within=LONG)).text
        again = model.pid
    assert again
    with pytest.raises(ProcessLookupError):
        os.kill(again, 0)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "ours.gguf")


def in_process(path: Path, adapter: Path | None = None) -> LlamaModel:
    return LlamaModel(path, context=512, at_once=1, threads=1, adapter=adapter)


@pytest.mark.needs_model
async def test_an_adapter_changes_the_answer_and_is_named_in_it(adapter: Path) -> None:
    async with aclosing(in_process(weights())) as bare:
        plain = await bare.complete(PROMPT, within=LONG)
    async with aclosing(in_process(weights(), adapter)) as model:
        names = await model.models()
        found = await model.complete(PROMPT, within=LONG)
        by_bare_name = await model.complete(replace(PROMPT, model=bare.name), within=LONG)

    assert found.text != plain.text
    assert names == (f"{bare.name}+ours",)
    assert found.model == by_bare_name.model == names[0]


@pytest.mark.needs_model
async def test_an_adapter_of_another_width_does_not_load(tmp_path: Path) -> None:
    wide = write_adapter(tmp_path / "wide.gguf", width=500)

    async with aclosing(in_process(weights(), wide)) as model:
        with pytest.raises(Unreachable, match=r"cannot load .*\+wide.*adapter made for it"):
            await model.complete(PROMPT, within=LONG)


def test_files_that_cannot_go_together_are_told(adapter: Path, tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other.gguf", kind="qwen2")
    empty = tmp_path / "empty.gguf"
    empty.write_bytes(b"GGUF")

    with pytest.raises(BadInput, match="is an adapter, no model"):
        in_process(adapter)
    with pytest.raises(BadInput, match="no LoRA adapter but a whole model"):
        in_process(weights(), weights())
    with pytest.raises(BadInput, match=r"'qwen2', .* is 'llama'"):
        in_process(weights(), other)
    with pytest.raises(BadInput, match="no LoRA adapter"):
        in_process(weights(), empty)
    with pytest.raises(BadInput, match="cannot be read"):
        in_process(weights(), tmp_path / "gone.gguf")
