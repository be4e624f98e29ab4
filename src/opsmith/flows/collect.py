"""collect: export requests in; fewer of them out, and bounded many series of what was in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from opsmith.ingest.collector import Budget, Collector, exposition
from opsmith.ingest.event_stream import EventStream
from opsmith.ingest.folding import FoldingRules
from opsmith.ingest.thinning import Thinning, ThinningRules


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRules:
    """How spans and log records are sampled, and how what they say is folded."""

    thinning: ThinningRules = field(default_factory=ThinningRules)
    folding: FoldingRules = field(default_factory=FoldingRules)
    budget: Budget = field(default_factory=Budget)
    dimensions: tuple[str, ...] = ()


class Collection:
    """Takes OTLP export requests, gives what is to be kept of them, sums what they say.

    chance: uniform numbers in [0, 1).
    """

    TIDY_EVERY_S = 60.0

    def __init__(self, rules: CollectRules, *, chance: Callable[[], float]) -> None:
        self.collector = Collector(rules=rules.folding, budget=rules.budget)
        self.streams = {
            signal: EventStream(
                thinning=Thinning(rules.thinning),
                rows=[],
                chance=chance,
                dimensions=rules.dimensions,
            )
            for signal in ("spans", "logs")
        }
        self._tidied_s: float | None = None

    def spans(self, request: Mapping[str, object], *, now_s: float) -> bytes | None:
        """What is kept of a request of spans, as a line of OTLP/JSON. now_s: a steady clock."""
        return self._done("spans", self.streams["spans"].spans(request, now_s=now_s), now_s)

    def logs(self, request: Mapping[str, object], *, now_s: float) -> bytes | None:
        """What is kept of a request of log records, as a line of OTLP/JSON."""
        return self._done("logs", self.streams["logs"].logs(request, now_s=now_s), now_s)

    def text(self) -> str:
        """The series, as a Prometheus may scrape them."""
        return "".join(exposition(self.collector.totals()))

    def _done(self, signal: str, kept: Mapping[str, object] | None, now_s: float) -> bytes | None:
        self.collector.take(self.streams[signal].taken(), at_s=now_s)
        if self._tidied_s is None or now_s - self._tidied_s >= self.TIDY_EVERY_S:
            self.collector.tidy(at_s=now_s)
            self._tidied_s = now_s
        return None if kept is None else orjson.dumps(kept)
