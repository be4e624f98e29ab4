"""What goes wrong between a service and those it needs."""

from __future__ import annotations


class Unavailable(Exception):
    """Something this request needs did not answer or is used up."""


class Failed(Exception):
    """A called service answered with an error."""
