"""What opsmith counts about itself, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class OwnMetrics:
    """The counters and gauges behind `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.alerts = self._counter("opsmith_alerts_received", "Alerts in notifications.")
        self.stream_messages = self._gauge(
            "opsmith_stream_messages_total", "Messages read from a stream of notifications."
        )
        self.stream_skipped = self._gauge(
            "opsmith_stream_skipped_total", "Messages of it that were no notification."
        )
        self.looks = self._gauge("opsmith_looks_total", "Investigations done.")
        self.look_seconds = self._gauge("opsmith_look_seconds_total", "Time spent investigating.")
        self.partial = self._counter(
            "opsmith_partial_answers", "Answers that a server itself called incomplete."
        )
        self.failed_looks = self._gauge("opsmith_failed_looks", "Investigations that failed.")
        self.refits = Gauge(
            "opsmith_refits_total",
            "Refits of the ranker by what came of them.",
            ["outcome"],
            registry=self.registry,
        )
        self.firing = self._gauge("opsmith_firing_alerts", "Alerts firing.")
        self.incidents = self._gauge("opsmith_incidents", "Incidents known.")
        self.troubles = self._gauge("opsmith_troubles", "Sources that do not answer.")
        self.signals = self._gauge("opsmith_watched_signals", "Signals that detectors follow.")
        self.left_out = self._gauge(
            "opsmith_left_out_series", "Series that match but are too many to be followed."
        )
        self.signs = self._gauge(
            "opsmith_standing_signs", "Anomalies and early warnings that stand now."
        )
        self.model = ModelMetrics(self.registry)
        self.ledger_bytes = self._gauge("opsmith_ledger_bytes", "Size of the ledger on disk.")

    def _counter(self, name: str, words: str) -> Counter:
        return Counter(name, words, registry=self.registry)

    def _gauge(self, name: str, words: str) -> Gauge:
        return Gauge(name, words, registry=self.registry)


class ModelMetrics:
    """The gauges of the language model."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.prompts = Gauge(
            "opsmith_model_prompts_total",
            "Prompts to the language model by what came of them.",
            ["outcome"],
            registry=registry,
        )
        self.tokens, self.running, self.waiting, self.left_alone = (
            Gauge(f"opsmith_model_{name}", words, registry=registry)
            for name, words in (
                ("answer_tokens_total", "Tokens that the language model answered."),
                ("running", "Prompts being answered."),
                ("waiting", "Prompts waiting their turn."),
                ("left_alone", "1 while the model is left alone after failures."),
            )
        )
