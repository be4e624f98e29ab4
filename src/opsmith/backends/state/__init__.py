"""Backends of the state seam."""
