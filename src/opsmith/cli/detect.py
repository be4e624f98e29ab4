"""`opsmith detect` and `opsmith anomaly`: what a series never did, and what you say of that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.cli.source import checked, where_options
from opsmith.errors import BadInput
from opsmith.nouns.anomaly import Anomaly, Label
from opsmith.wiring.detection import detect_in, detect_lines, label_anomaly, label_live


@click.command()
@where_options
@click.option("--stdin", is_flag=True, help="Take samples line by line: time,value or JSON.")
@output_option
def detect(query: str | None, *, stdin: bool, output: str, **where: object) -> None:
    """Tell what series never did before: alarms, outages, and when they end.

    Nothing is told while a series warms up (96 points and an hour), but an outage of 20
    deviations. What was learned is kept in the data folder, so that --stdin and a server go on
    where they stopped. With -o json one object a line.
    """
    if not stdin:
        _tell(_asked(query, **where), output)  # type: ignore[arg-type]  # click has checked each
        return
    if query or where["file"] or where["url"]:
        raise BadInput("--stdin takes samples from standard input alone.", hint="Drop the rest.")
    _tell(detect_lines(sys.stdin), output)


def _asked(
    query: str | None, file: Path | None, url: str | None, history: timedelta
) -> Iterable[Anomaly | str]:
    return detect_in(checked(query, file, url, history))


def _tell(found: Iterable[Anomaly | str], output: str) -> None:
    for one in found:
        if isinstance(one, str):
            click.echo(f"opsmith: {one}", err=True)
        elif output == "json":
            click.echo(json.dumps(_as_json(one), ensure_ascii=False))
        else:
            click.echo(_as_text(one))


def _as_text(one: Anomaly) -> str:
    at = one.at.strftime("%Y-%m-%d %H:%M:%S")
    name = "".join(c if c.isprintable() else "?" for c in one.series)
    return f"{at}  {one.verdict.upper():10}  {one.id}  {name}: {one.claim}"


def _as_json(one: Anomaly) -> dict[str, object]:
    return {**asdict(one), "at": one.at.isoformat(), "views": dict(one.views)}


@click.group()
def anomaly() -> None:
    """Say what an anomaly really was; the threshold of its series follows."""


@anomaly.command()
@click.argument("anomaly_id", metavar="ID")
@click.option("--false", "said", flag_value="false", help="It was nothing: raise the threshold.")
@click.option("--true", "said", flag_value="true", help="It was real: lower it a little.")
@output_option
def label(anomaly_id: str, said: str | None, output: str) -> None:
    """Label the anomaly ID that `opsmith detect`, `opsmith watch` or the page told of.

    What a running `opsmith up` told of reaches its detectors with the next scrape.
    """
    if said is None:
        raise BadInput("Nothing was said of it.", hint="Give --true or --false.")
    if (live := label_live(anomaly_id, Label(said))) is not None:
        told = {"id": anomaly_id, "series": live.series, "said": said}
        words = f"{live.series}: kept; the running detectors take it in with the next scrape."
        click.echo(json.dumps(told) if output == "json" else words)
        return
    series, multiplier = label_anomaly(anomaly_id, Label(said))
    if output == "json":
        click.echo(json.dumps({"id": anomaly_id, "series": series, "threshold_x": multiplier}))
        return
    click.echo(f"{series}: the threshold is now {multiplier:.2f} times the usual one.")
