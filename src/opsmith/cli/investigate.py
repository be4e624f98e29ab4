"""`opsmith investigate`: from a recorded incident to its root cause and a report."""

from __future__ import annotations

from pathlib import Path

import click

from opsmith import wiring
from opsmith.cli.options import output_option
from opsmith.cli.saving import save
from opsmith.errors import BadInput
from opsmith.nouns.diagnosis import PathWeights
from opsmith.nouns.report import Report

SUFFIXES = (".html", ".md")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@output_option
@click.option(
    "--report",
    "report_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the report there, as its suffix says: .html (one file) or .md.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many of the likeliest causes to show.",
)
@click.option(
    "--path-weights",
    type=click.Choice([str(weights) for weights in PathWeights]),
    default=str(PathWeights.BOTTLENECK),
    show_default=True,
    help=(
        "How the path is chosen: bottleneck takes the one whose weakest member changed most,"
        " additive the one with the least sum of log(1 + error rate) + latency in ms / 100."
    ),
)
def investigate(
    bundle: Path, output: str, report_path: Path | None, top: int, path_weights: str
) -> None:
    """Find the root cause of the incident recorded in the folder BUNDLE.

    Says who is to blame, since when, how sure that is and by which path it reached the alert.
    Leaves with 0 whenever the bundle could be read, also when the answer is `inconclusive`
    or `healthy`; with 2 when it could not.
    """
    if report_path is not None and report_path.suffix not in SUFFIXES:
        raise BadInput(
            f"The report cannot be written as {report_path.name[-60:]!r}.",
            hint="End its name in .html or .md.",
        )
    report = wiring.investigate(bundle, top=top, path_weights=PathWeights(path_weights))
    if report_path is not None:
        save(report_path, _form(report, report_path.suffix))
    click.echo(report.json if output == "json" else report.text, nl=False)
    if report_path is not None:
        click.echo(f"The report is in {report_path}.", err=True)


def _form(report: Report, suffix: str) -> str:
    return report.html if suffix == ".html" else report.markdown
