"""notifier: a worker that takes orders off the queue and writes down who was told."""

from __future__ import annotations

import asyncio

from opentelemetry import propagate
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError, ResponseError

from opsmith_lab.shop.errors import Unavailable
from opsmith_lab.shop.process import ShopProcess
from opsmith_lab.shop.serve import Endpoint

STREAM = "orders"
GROUP = "notifier"
BLOCK_MS = 1000


def routes(process: ShopProcess) -> list[tuple[str, str, Endpoint]]:
    """No route of its own; the work comes from the queue."""
    task = asyncio.get_running_loop().create_task(_work(process))
    process.tasks.add(task)
    return []


async def _work(shop: ShopProcess) -> None:
    registry = shop.meters.registry
    lag = Gauge("messaging_queue_lag", "Orders not yet told about.", registry=registry)
    told = Counter(
        "messaging_processed_messages", "Orders handled.", ("outcome",), registry=registry
    )
    execute = shop.queue.execute
    try:
        await execute("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    except ResponseError:
        shop.log.info("the consumer group is there already")
    start = "0"  # first what an earlier life left pending, then what is new
    while True:
        try:
            answer = await execute(
                *("XREADGROUP", "GROUP", GROUP, "notifier-0", "COUNT", 10, "BLOCK", BLOCK_MS),
                *("STREAMS", STREAM, start),
            )
            lag.set(_waiting(await execute("XINFO", "GROUPS", STREAM)))
        except (RedisError, OSError) as error:
            shop.log.warning("the queue did not answer: %s", type(error).__name__)
            await asyncio.sleep(1)
            continue
        messages = _messages(answer)
        if not messages:
            start = ">"
        for number, message in messages:
            told.labels(await _tell(shop, number, message)).inc()


def _messages(answer: object) -> list[tuple[str, dict[str, str]]]:
    """What XREADGROUP handed out of the one stream: ids and fields."""
    streams = answer if isinstance(answer, list) else []
    return [
        (str(number), {str(key): str(value) for key, value in message.items()})
        for _, entries in streams
        for number, message in entries
        if isinstance(message, dict)
    ]


def _waiting(groups: object) -> int:
    """Messages that the group has not taken or not settled yet."""
    first = groups[0] if isinstance(groups, list) and groups else {}
    return int(first.get("lag") or 0) + int(first.get("pending") or 0)


async def _tell(shop: ShopProcess, number: str, message: dict[str, str]) -> str:
    tags = {
        "messaging.system": "valkey",
        "messaging.destination.name": "orders",
        "messaging.operation.type": "process",
        "server.address": "orders",
    }
    with shop.tracer.start_as_current_span(
        "process orders",
        context=propagate.extract(message),
        kind=SpanKind.CONSUMER,
        attributes=tags,
    ):
        try:
            for step in shop.before:
                step()
            if not shop.leaves_early():
                await shop.database.run(
                    "INSERT INTO notices (order_id, customer) VALUES ($1, $2)",
                    int(message["order"]),
                    message["user"],
                )
                shop.log.info("told %s about order %s", message["user"], message["order"])
        except Unavailable as error:
            shop.log.error("order %s: %s", message["order"], error)  # noqa: TRY400
            return "failed"
        await shop.queue.execute("XACK", STREAM, GROUP, number)
        return "done"
