"""Backends of the logs seam."""
