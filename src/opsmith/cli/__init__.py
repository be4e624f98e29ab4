"""The terminal face: parses arguments, calls the wiring, prints, and sets the exit code."""

from opsmith.cli.main import main

__all__ = ["main"]
