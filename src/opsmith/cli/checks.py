"""`opsmith checks`: how the addresses of the targets file stand."""

from __future__ import annotations

import asyncio
import json

import click

from opsmith.cli.options import output_option


@click.command()
@output_option
def checks(output: str) -> None:
    """How each check of the targets file stood when a worker looked last.

    A check is made by `opsmith task run http.check target=…`, or again and again by
    `opsmith schedule add NAME CRON http.check target=…`.
    """
    from opsmith import settings
    from opsmith.wiring.checks import checks_list

    found = asyncio.run(checks_list(settings.load()))
    if output == "json":
        rows = [
            {
                "check": health.name,
                "state": health.state,
                "failures": health.failures,
                "since": health.since.isoformat() if health.failures and health.since else None,
                "looked": health.looked.isoformat() if health.looked else None,
                "outage": health.outage if health.down else None,
                "last_failure": health.says,
                "wants": says,
                "told": sorted(health.told),
            }
            for health, says in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    if not found:
        click.echo("The targets file names no checks.")
    for health, says in found:
        since = f" since {health.since:%Y-%m-%d %H:%M:%SZ}" if health.failures else ""
        tail = f": {health.says}" if health.failures else ""
        looked = f" (seen {health.looked:%Y-%m-%d %H:%M}Z or later)" if health.looked else ""
        click.echo(f"{health.state:<8} {health.name}{since}{tail}")
        click.echo(f"         {says}{looked}")
