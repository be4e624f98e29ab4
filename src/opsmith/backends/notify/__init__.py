"""Backends of the notify seam."""
