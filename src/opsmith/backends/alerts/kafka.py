"""Alerts from a Kafka topic: every partition is assigned, none shared in a group.

Where reading goes on is the caller's affair, who keeps it beside what was read; so nothing is
committed to the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import urlsplit

from opsmith.errors import BadInput, MissingExtra, Unreachable
from opsmith.seams.alerts import Batch, Message

try:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import KafkaError
    from aiokafka.helpers import create_ssl_context
except ImportError as error:
    raise MissingExtra(
        "Alerts from Kafka need its client.", hint="pip install 'opsmith[kafka]'"
    ) from error

# How long a read waits for the first message, and the most messages in one batch: one sync of
# the ledger to disk then serves them all.
WAIT_MS = 1000
MOST = 500
# After so many reads without a message the broker is asked whether it and the partitions are
# there: the client itself tries for ever and says nothing.
ASK_EVERY = 5
PATIENCE_S = 15.0
# A notification is some kB; the HTTP face takes no larger ones either.
LARGEST_BYTES = 16 * 1024 * 1024


class KafkaAlerts:
    """Reads one topic from all of its partitions.

    url: kafka://[USER@]HOST:PORT[,HOST:PORT…]/TOPIC, kafka+ssl:// for TLS; with a user SASL/PLAIN.
    Raises `BadInput` when it is none.
    """

    def __init__(self, url: str, *, password: str = "") -> None:
        parts = urlsplit(url)
        self._user, _, self._servers = parts.netloc.rpartition("@")
        self._topic = parts.path.strip("/")
        self._password = password
        self._tls = parts.scheme == "kafka+ssl"
        if parts.scheme not in {"kafka", "kafka+ssl"} or not self._servers or not self._topic:
            raise BadInput(
                f"{url.rpartition('@')[2][:200]!r} is no address of a topic.",
                hint="Write kafka://HOST:PORT/TOPIC.",
            )
        if ":" in self._user:
            raise BadInput("The address holds a password.", hint="Set OPSMITH_KAFKA_PASSWORD.")

    async def batches(self, start: Mapping[str, int]) -> AsyncGenerator[Batch]:
        """What arrives, one partition a batch, for ever."""
        # The client logs every refused connection; they are raised, and said once, by us.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        positions, empty = dict(start), 0
        consumer = self._consumer()
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_S)
            await self._assign(consumer, positions)
            yield Batch(place=self._topic, messages=())
            while True:
                found = await consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST)
                for partition, records in found.items():
                    batch = Batch(
                        place=f"{partition.topic}/{partition.partition}",
                        messages=tuple(
                            Message(offset=r.offset, body=r.value or b"") for r in records
                        ),
                    )
                    positions[batch.place] = batch.following
                    yield batch
                empty = 0 if found else empty + 1
                if empty == ASK_EVERY:
                    empty = 0
                    await asyncio.wait_for(self._assign(consumer, positions), PATIENCE_S)
        except (KafkaError, OSError) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise Unreachable(f"Kafka at {self._servers} did not answer: {reason}") from error
        finally:
            await consumer.stop()

    def _consumer(self) -> AIOKafkaConsumer:
        transport = "SSL" if self._tls else "PLAINTEXT"
        return AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=LARGEST_BYTES,
            security_protocol=f"SASL_{transport}" if self._user else transport,
            ssl_context=create_ssl_context() if self._tls else None,
            sasl_mechanism="PLAIN",
            sasl_plain_username=self._user or None,
            sasl_plain_password=self._password or None,
        )

    async def _assign(self, consumer: AIOKafkaConsumer, positions: Mapping[str, int]) -> None:
        """Take every partition that the topic has now, each where reading goes on."""
        await consumer.topics()
        numbers = consumer.partitions_for_topic(self._topic) or frozenset()
        wanted = {TopicPartition(self._topic, number) for number in numbers}
        if not wanted:
            raise Unreachable(f"Kafka at {self._servers} has no topic {self._topic!r}.")
        if wanted != consumer.assignment():
            consumer.assign(sorted(wanted))
            for partition in wanted:
                place = f"{partition.topic}/{partition.partition}"
                if place in positions:
                    consumer.seek(partition, positions[place])
        await consumer.end_offsets(wanted)
