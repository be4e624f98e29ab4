"""`opsmith audit`: what stands on the ledger."""

from __future__ import annotations

import json

import click

from opsmith.cli.options import output_option


@click.group()
def audit() -> None:
    """Read what was asked and done."""


@audit.command("list")
@output_option
@click.option("--session", default="", metavar="NAME", help="Only the turns of this session.")
@click.option("--kind", default="", help="Only records of this kind: turn, alert, incident, …")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
def list_(output: str, session: str, kind: str, limit: int) -> None:
    """List records, the newest last."""
    from opsmith.settings import load
    from opsmith.wiring.sessions import list_records

    found = list_records(load(), kind="turn" if session else kind, subject=session)[-limit:]
    rows = [
        {
            "seq": one.seq,
            "at": one.entry.at.isoformat(timespec="milliseconds"),
            "kind": one.entry.kind,
            "subject": one.entry.subject,
            "principal": one.entry.principal,
            "tenant": one.entry.tenant,
            "body": json.loads(one.entry.body),
            "digest": one.digest.hex(),
        }
        for one in found
    ]
    if output == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['seq']:>8}  {row['at']}  {row['kind']:<9} {row['subject']}"
            f"  {row['principal']}@{row['tenant']}  {str(row['digest'])[:12]}"
        )
