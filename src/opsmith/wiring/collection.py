"""The wiring of the collector: its rules from the sources file, its counts for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from random import SystemRandom

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as Counted

from opsmith.flows.collect import Collection
from opsmith.settings import Settings
from opsmith.wiring.source_file import read


def collection(settings: Settings, registry: CollectorRegistry) -> Collection:
    """The collector of the live house, counted in `registry`."""
    found = Collection(read(settings.sources_file).collector.rules(), chance=SystemRandom().random)
    registry.register(CollectionCounts(found))
    return found


class CollectionCounts(Counted):
    """Everything that was sampled, folded or left out, read when it is asked for."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The counts of now."""
        yield from self._events()
        collector = self._collection.collector
        folding = collector.folding
        folded = CounterMetricFamily(
            "opsmith_label_values_folded",
            "New label sets in which a value was folded, or a label left out.",
            labels=["into"],
        )
        for into, number in (
            ("bucket", folding.folded),
            ("other", folding.unique),
            ("nothing", folding.dropped),
        ):
            folded.add_metric([into], number)
        yield folded
        yield CounterMetricFamily(
            "opsmith_collector_overflowed",
            "Observations counted under an overflow series, for want of room.",
            value=collector.overflowed,
        )
        yield CounterMetricFamily(
            "opsmith_collector_evicted", "Idle series let go.", value=collector.evicted
        )
        yield GaugeMetricFamily(
            "opsmith_collector_series", "Series followed.", value=len(collector)
        )
        yield GaugeMetricFamily(
            "opsmith_collector_bytes", "What they take, estimated.", value=collector.bytes
        )
        values = GaugeMetricFamily(
            "opsmith_label_values",
            "Distinct values of a label, estimated (standard error 1.6 %).",
            labels=["metric", "label"],
        )
        for (metric, label), estimate in sorted(folding.values().items()):
            values.add_metric([metric, label], estimate)
        yield values

    def _events(self) -> Iterator[CounterMetricFamily]:
        seen = CounterMetricFamily("opsmith_events_seen", "Events received.", labels=["signal"])
        out = CounterMetricFamily(
            "opsmith_events_sampled_out",
            "Events left out by sampling; the others stand for them.",
            labels=["signal"],
        )
        for signal, stream in self._collection.streams.items():
            seen.add_metric([signal], stream.thinning.seen)
            out.add_metric([signal], stream.thinning.seen - stream.thinning.kept)
        yield seen
        yield out
