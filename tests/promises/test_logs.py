"""Every backend of the logs seam keeps every promise. Loki is emulated, over the wire."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from builders.http import serving
from builders.loki import Loki

from opsmith.errors import BadAnswer, BadInput, Unreachable
from opsmith.nouns.log_line import LogLine, LogQuery
from opsmith.seams.logs import Logs
from opsmith.settings import Settings
from opsmith.testing.logs import BEGIN, CHECKS, HOUR, RECORDS, Check, Store
from opsmith.wiring import sources

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
BASIC = "Basic " + base64.b64encode(b"ann:word").decode()


def opened(folder: Path, source: object) -> Logs:
    file = folder / "sources.yml"
    file.write_text(yaml.safe_dump({"logs": [source]}))
    (logs,) = sources.open_logs(Settings(data_dir=folder, sources_file=file)).values()
    return logs


def nanos(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1_000


def as_json(line: LogLine) -> str:
    told = {
        "ts": line.at.isoformat(),
        "level": line.level.name,
        "service": line.service,
        "msg": line.text,
        "trace_id": line.trace_id,
    }
    return json.dumps(told, ensure_ascii=False)


@asynccontextmanager
async def files(folder: Path) -> AsyncIterator[Store]:
    path = folder / "shop.log"

    async def write(lines: Sequence[LogLine]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{as_json(line)}\n" for line in lines)

    await write(RECORDS)
    logs = opened(folder, {"name": "shop", "kind": "files", "paths": [f"{folder}/*.log"]})
    yield Store(logs=logs, write=write)
    await logs.aclose()


@asynccontextmanager
async def loki(folder: Path) -> AsyncIterator[Store]:
    store = Loki(tenant="team-a", authorization=BASIC)

    async def write(lines: Sequence[LogLine]) -> None:
        for line in lines:
            stream = {"service_name": line.service, "detected_level": line.level.name.lower()}
            if line.trace_id:
                stream["trace_id"] = line.trace_id
            store.push(nanos(line.at), stream, line.text)

    await write(RECORDS)
    (folder / "password").write_text("word")
    with serving(store.answer) as url:
        source = {
            "name": "loki",
            "kind": "loki",
            "url": url,
            "tenant": "team-a",
            "user": "ann",
            "password_file": str(folder / "password"),
        }
        logs = opened(folder, source)
        yield Store(logs=logs, write=write)
        await logs.aclose()


@pytest.fixture(autouse=True)
def at_the_time_of_the_records(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A follower begins now, so now is when the records were written."""
    monkeypatch.setattr(sources, "_now", lambda: BEGIN + timedelta(seconds=49))
    yield
    assert sources is not None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("opener", [files, loki], ids=lambda one: one.__name__)
async def test_a_backend_keeps_the_promise(
    tmp_path: Path, opener: Opener, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opener(tmp_path) as store:
        if "follows" in check.__name__ or "cursor" in check.__name__:
            times = iter([BEGIN + timedelta(seconds=49), *[BEGIN + HOUR] * 9])
            monkeypatch.setattr(store.logs, "_clock", lambda: next(times))
        await check(store)


def from_loki(url: str, folder: Path, **more: object) -> Logs:
    return opened(folder, {"name": "l", "kind": "loki", "url": url, "retries": 1, **more})


def query(**more: object) -> LogQuery:
    return LogQuery(start=BEGIN, end=BEGIN + HOUR, **more)  # type: ignore[arg-type]


async def searched(logs: Logs, **more: object) -> Iterable[LogLine]:
    try:
        return await logs.search(query(**more))
    finally:
        await logs.aclose()


async def test_a_selector_holds_for_every_question(tmp_path: Path) -> None:
    store = Loki()
    for env in ("prod", "test"):
        store.push(nanos(BEGIN), {"service_name": "cart", "env": env}, env)
    with serving(store.answer) as url:
        (line,) = await searched(from_loki(url, tmp_path, selector='env="prod"'))

    assert line.text == "prod"


async def test_the_wrong_tenant_and_a_wrong_selector_are_told(tmp_path: Path) -> None:
    with serving(Loki(tenant="a").answer) as url, pytest.raises(BadInput, match="let us in"):
        await searched(from_loki(url, tmp_path, tenant="b"))
    with serving(Loki().answer) as url, pytest.raises(BadInput, match="parse error"):
        await searched(from_loki(url, tmp_path, selector="env=prod"))


async def test_a_busy_loki_is_asked_again_and_a_broken_one_is_told(tmp_path: Path) -> None:
    store = Loki()
    store.failing = 1
    with serving(store.answer) as url:
        assert await searched(from_loki(url, tmp_path)) == ()
        store.failing = 9
        with pytest.raises(Unreachable):
            await searched(from_loki(url, tmp_path))
        store.failing = 0
        with pytest.raises(BadAnswer):
            await searched(from_loki(f"{url}/elsewhere", tmp_path))


async def test_thousands_of_lines_of_one_moment_neither_stop_nor_loop(tmp_path: Path) -> None:
    store = Loki()
    for number in range(6_000):
        store.push(nanos(BEGIN), {"service_name": "cart"}, f"line {number}")
    store.push(nanos(BEGIN) - 1_000, {"service_name": "cart"}, "before")
    with serving(store.answer) as url:
        logs = from_loki(url, tmp_path)
        found = await logs.search(
            LogQuery(start=BEGIN - HOUR, end=BEGIN + HOUR, text="before", limit=5)
        )
        _, cursor = await logs.new(json.dumps([nanos(BEGIN), []]))
        rest, _ = await logs.new(cursor)
        await logs.aclose()

    assert [line.text for line in found] == ["before"]
    assert rest == ()
