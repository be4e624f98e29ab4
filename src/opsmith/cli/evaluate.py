"""`opsmith evaluate`: how good the answers would have been on your own history."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.cli.source import Duration
from opsmith.wiring import prediction
from opsmith.wiring.detection import evaluate_anomalies


@click.group()
def evaluate() -> None:
    """Try opsmith on history that you have kept, before you trust it."""


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--horizon", type=Duration(), default="6h", show_default=True, help="How far ahead.")
@output_option
def forecast(folder: Path, horizon: timedelta, output: str) -> None:
    """Hold back the end of every series under FOLDER three times and forecast it.

    MASE is the error in units of the daily naive forecast's: below 1 beats "as yesterday".
    """
    scores = prediction.evaluate_forecasts(folder, horizon=horizon)
    if output == "json":
        click.echo(json.dumps([asdict(score) for score in scores]))
        return
    click.echo(
        f"{'model':20} {'MASE':>7} {'pinball':>8} {'in 80 %':>8} {'in 95 %':>8} {'tries':>6}"
    )
    for one in scores:
        click.echo(
            f"{one.model:20} {one.mase:7.3f} {one.pinball:8.3f} {one.covered80:8.0%} "
            f"{one.covered95:8.0%} {one.tries:6}"
        )


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path))
@output_option
def anomaly(folder: Path, output: str) -> None:
    """Say how loud the detector would have been on every series under FOLDER.

    Also gives the thresholds that would keep to 0.1, 0.03 and 0.01 alarms a series-day.
    """
    rate = evaluate_anomalies(folder)
    if output == "json":
        click.echo(json.dumps(asdict(rate)))
        return
    click.echo(
        f"{rate.series} series, {rate.days:.1f} series-days: {rate.alarms} alarms, "
        f"{rate.alarms / rate.days:.3f} a series-day at threshold {rate.threshold:.2f}."
    )
    for budget, threshold in rate.budgets:
        click.echo(f"  {budget:5.2f} a series-day: threshold {threshold:.3f}")
    for key, alarms in rate.loudest:
        click.echo(f"  {alarms:5} alarms  {key}")
