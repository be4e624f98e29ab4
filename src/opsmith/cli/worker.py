"""`opsmith worker`: take tasks off the queue and do them."""

from __future__ import annotations

from pathlib import Path

import click

from opsmith.errors import BadInput


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Tasks at a time.",
)
@click.option(
    "--per-tenant",
    type=click.IntRange(min=0),
    default=0,
    help="Tasks of one tenant at a time over all workers; 0 for no limit. Give all the same.",
)
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(min=0),
    default=25.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a stop waits for tasks in hand before they are given back.",
)
@click.option(
    "--bundles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Recorded incidents that `investigate` tasks may read lie there or in the data folder.",
)
@click.option("--listen", metavar="HOST:PORT", help="Where to answer /metrics; nowhere if unset.")
def worker(
    *,
    concurrency: int,
    per_tenant: int,
    patience_s: float,
    bundles: tuple[Path, ...],
    listen: str | None,
) -> None:
    """Take tasks off the queue and do them, until Ctrl-C or SIGTERM.

    Start as many as you like, on as many machines as reach OPSMITH_QUEUE_URL; without it the
    workers of this data folder share a Valkey that starts with the first of them.
    """
    from opsmith import settings
    from opsmith.wiring.crew import Wish
    from opsmith.worker.serve import serve

    known = settings.load()
    wish = Wish(
        at_once=concurrency,
        per_tenant=per_tenant,
        patience_s=patience_s,
        bundles=bundles,
        listen=_address(listen) if listen else None,
    )
    where = known.queue_url or f"the queue in {known.data_dir}"
    click.echo(f"opsmith works on {where}; Ctrl-C to stop", err=True)
    serve(known, wish)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - last
        raise BadInput(f"{listen[:80]!r} is not HOST:PORT.")
    return host.strip("[]"), int(port)
