"""Backends of the changes seam."""
