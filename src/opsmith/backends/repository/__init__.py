"""Backends of the repository seam."""
