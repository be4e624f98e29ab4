"""Backends of the wire seam."""
