"""Alerts from a real broker into the inbox: none lost, none twice, whatever is killed."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from promises.real_kafka import TOPIC, broker, free_port, send

from opsmith.audit.states import ALERT, OFFSET, SKIPPED
from opsmith.backends.alerts.kafka import KafkaAlerts
from opsmith.backends.ledger.sqlite import SqliteLedger
from opsmith.errors import BadInput, Unreachable
from opsmith.seams.ledger import Ledger, Wanted
from opsmith.settings import Settings
from opsmith.wiring.live import App

pytestmark = pytest.mark.needs_kafka


def told(number: int) -> bytes:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Slow", "service": f"s{number}"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"f{number}",
    }
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    found = free_port()
    async with broker(found):
        yield found


def app(folder: Path, port: int) -> App:
    url = f"kafka://127.0.0.1:{port}/{TOPIC}"
    return App(Settings(data_dir=folder, kafka_url=url), version="0")


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def read_so_far(house: App) -> tuple[int, int]:
    """Messages read, and those of them that were skipped."""
    stream = house._stream  # noqa: SLF001 - what /metrics tells
    return (stream.messages, stream.skipped) if stream is not None else (-1, -1)


async def count(ledger: Ledger, kind: str) -> int:
    return len(await ledger.read(Wanted(kind=kind, limit=100_000)))


async def test_alerts_of_every_partition_arrive_and_nonsense_is_recorded(
    tmp_path: Path, port: int
) -> None:
    await send(port, [told(1), b"{", told(2), b"password=hunter22"])
    await send(port, [told(3)], partition=1)

    async with app(tmp_path, port) as house:
        await until(lambda: read_so_far(house) == (5, 2))
        text = (await house.metrics_text()).decode()
        assert len(house.inbox.firing) == 3

    ledger = SqliteLedger(tmp_path / "ledger.db")
    skipped = await ledger.read(Wanted(kind=SKIPPED))
    ledger.close()
    assert [record.entry.subject for record in skipped] == [f"{TOPIC}/0/1", f"{TOPIC}/0/3"]
    assert "hunter22" not in skipped[1].entry.body
    assert "opsmith_stream_skipped_total 2.0" in text
    assert "opsmith_stream_messages_total 5.0" in text


async def test_after_a_restart_reading_goes_on_where_it_was_left(
    tmp_path: Path, port: int
) -> None:
    await send(port, [told(1), told(2)])
    async with app(tmp_path, port) as house:
        await until(lambda: len(house.inbox.firing) == 2)
    await send(port, [told(3)])

    async with app(tmp_path, port) as house:
        await until(lambda: read_so_far(house) == (1, 0))
        assert len(house.inbox.firing) == 3


async def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(
    tmp_path: Path, port: int
) -> None:
    total = 600
    code = (
        "import asyncio, pathlib, sys\n"
        "from opsmith.backends.alerts import kafka\n"
        "from opsmith.settings import Settings\n"
        "from opsmith.wiring.live import App\n"
        "kafka.MOST = 7\n"
        "async def run():\n"
        "    settings = Settings(data_dir=pathlib.Path(sys.argv[1]), kafka_url=sys.argv[2])\n"
        "    async with App(settings, version='0'):\n"
        "        print('up', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(run())\n"
    )
    url = f"kafka://127.0.0.1:{port}/{TOPIC}"
    await send(port, [told(number) for number in range(total)])

    for wait_s in (0.05, 0.2, 0.4):
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path), url, stdout=asyncio.subprocess.PIPE
        )
        assert victim.stdout is not None
        await victim.stdout.readline()
        await asyncio.sleep(wait_s)
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
    async with app(tmp_path, port) as house:
        await until(lambda: len(house.inbox.firing) == total, 60.0)

    ledger = SqliteLedger(tmp_path / "ledger.db")
    assert await count(ledger, ALERT) == total
    (offset,) = [
        record
        for record in await ledger.read(Wanted(kind=OFFSET, latest=True))
        if record.entry.subject == f"{TOPIC}/0"
    ]
    assert offset.entry.body == str(total)
    assert (await ledger.verify()).whole
    ledger.close()


async def test_a_broker_that_comes_back_is_read_again(tmp_path: Path) -> None:
    found = free_port()
    async with app(tmp_path, found) as house:
        await until(lambda: "kafka" in house._troubles.told())  # noqa: SLF001 - what /readyz tells
        async with broker(found):
            await send(found, [told(1)])
            await until(lambda: len(house.inbox.firing) == 1, 40.0)
            assert "kafka" not in await house.troubles()


async def test_a_broker_that_goes_away_is_told(port: int) -> None:
    gone = free_port()
    with pytest.raises(Unreachable, match="did not answer"):
        await anext(KafkaAlerts(f"kafka://127.0.0.1:{gone}/{TOPIC}").batches({}))
    with pytest.raises(Unreachable, match="no topic"):
        await anext(KafkaAlerts(f"kafka://127.0.0.1:{port}/other").batches({}))


@pytest.mark.parametrize(
    "url", ["http://h/t", "kafka://h:9092", "kafka:///t", "kafka://me:secret@h:9092/t"]
)
def test_what_is_no_address_of_a_topic_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        KafkaAlerts(url)

    assert "secret" not in str(refused.value)
