"""The wiring of the metric watch: its plan from the watch file, and how often it steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from opsmith.backends.state.files import FileStates
from opsmith.flows.capture import SELECTOR
from opsmith.flows.metric_watch.ahead import FAR, NEAR
from opsmith.flows.metric_watch.watching import MetricWatch, Plan
from opsmith.nouns.sign import Sign
from opsmith.seams.ledger import Ledger
from opsmith.seams.metrics import Metrics
from opsmith.settings import Settings
from opsmith.wiring.looks import now
from opsmith.wiring.troubles import Troubles
from opsmith.wiring.watch_file import natural_limits, read


def open_metric_watch(
    settings: Settings,
    *,
    metrics: Metrics | None,
    ledger: Ledger,
    tell: Callable[[Sequence[Sign]], Awaitable[None]],
) -> MetricWatch | None:
    """The watch over a metrics server; None without one. Raises `BadInput` for a wrong file."""
    if metrics is None:
        return None
    return MetricWatch(
        metrics,
        ledger=ledger,
        store=FileStates(settings.data_dir / "state"),
        plan=_plan(settings),
        tell=tell,
        clock=now,
    )


def keep_watching(watch: MetricWatch, troubles: Troubles, settings: Settings) -> None:
    """Start the steps that run for as long as opsmith does."""
    near = replace(NEAR, step=timedelta(seconds=settings.scrape_interval_s))
    troubles.keep_doing("metric watch", watch.scrape, every_s=settings.scrape_interval_s)
    for name, reach in (("near", near), ("far", FAR)):
        troubles.keep_doing(
            f"forecasts ({name})",
            partial(watch.look_ahead, reach),
            every_s=reach.every.total_seconds(),
        )


def _plan(settings: Settings) -> Plan:
    told = read(settings.watch_file)
    own = tuple(shape.threshold("file") for shape in told.thresholds)
    return Plan(
        selectors=tuple(told.series) if told.series is not None else (SELECTOR,),
        thresholds=(*own, *(natural_limits() if told.natural_limits else ())),
        rules=told.alert_rules,
        most=told.most_signals,
        step=timedelta(seconds=settings.scrape_interval_s),
        alone_a_day=told.alone_a_day,
    )
