"""The commands that appear as `opsmith lab …`."""

import click


@click.group()
def lab() -> None:
    """Run a real shop with faults on this machine."""
