"""`opsmith audit`: what stands on the ledger."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from opsmith.cli.options import output_option
from opsmith.nouns.record import Record


@click.group()
def audit() -> None:
    """Read what was asked and done, and check that nobody changed it."""


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
    rows = [_row(one) for one in found]
    if output == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['seq']:>8}  {row['at']}  {row['kind']:<9} {row['subject']}"
            f"  {row['principal']}@{row['tenant']}  {str(row['digest'])[:12]}"
        )


@audit.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--key", type=click.Path(path_type=Path), help="The only public key to trust (PEM).")
@output_option
def verify(file: Path | None, key: Path | None, output: str) -> None:
    """Check every record and every seal, of the ledger or of an exported FILE.

    Exit code 1 when something was changed, cut off or forged; the first bad record is named.
    """
    from opsmith.settings import load
    from opsmith.wiring import audit as wired

    if file is None:
        found = asyncio.run(wired.audit_ledger(load(), trusted=key))
    else:
        found = wired.audit_export(file, trusted=key)
    if output == "json":
        told = {
            "whole": found.whole,
            "checked": found.verdict.checked,
            "broken_at": found.verdict.broken_at,
            "head": found.verdict.head.seq,
            "sealed_to": found.sealed_to,
            "faults": list(found.faults),
        }
        click.echo(json.dumps(told, indent=2))
    elif found.whole:
        sealed = f"sealed up to {found.sealed_to}" if found.sealed_to else "not sealed yet"
        click.echo(f"{found.verdict.checked} records, none changed; {sealed}.")
    else:
        for fault in found.faults:
            click.echo(fault)
    raise click.exceptions.Exit(0 if found.whole else 1)


@audit.command()
@output_option
def seal(output: str) -> None:
    """Check the ledger and sign its head; `opsmith up` does so by itself."""
    from opsmith.settings import load
    from opsmith.wiring import audit as wired

    made = asyncio.run(wired.seal_ledger(load()))
    if output == "json":
        told = {"seq": made.place.seq, "algorithm": made.algorithm, "at": made.at.isoformat()}
        click.echo(json.dumps(told))
        return
    click.echo(f"sealed up to record {made.place.seq} with {made.algorithm}")


@audit.command()
def key() -> None:
    """Print the public key of the seals, in PEM, for those who check them elsewhere."""
    from opsmith.settings import load
    from opsmith.wiring import audit as wired

    click.echo(wired.public_key(load()), nl=False)


@audit.command()
@click.argument("file", type=click.Path(path_type=Path))
@output_option
def export(file: Path, output: str) -> None:
    """Write the whole ledger with its seals to FILE, as JSON lines, to be checked anywhere."""
    from opsmith.settings import load
    from opsmith.wiring import audit as wired

    count = asyncio.run(wired.export(load(), file))
    told = {"file": str(file), "records": count}
    click.echo(json.dumps(told) if output == "json" else f"{count} records in {file}")


@audit.command()
@click.argument("seq", type=click.IntRange(min=1))
def show(seq: int) -> None:
    """Print one record, by its place, as JSON."""
    from opsmith.settings import load
    from opsmith.wiring import audit as wired

    click.echo(
        json.dumps(_row(asyncio.run(wired.record(load(), seq))), ensure_ascii=False, indent=2)
    )


def _row(one: Record) -> dict[str, object]:
    return {
        "seq": one.seq,
        "at": one.entry.at.isoformat(timespec="milliseconds"),
        "kind": one.entry.kind,
        "subject": one.entry.subject,
        "principal": one.entry.principal,
        "tenant": one.entry.tenant,
        "body": json.loads(one.entry.body),
        "digest": one.digest.hex(),
    }
