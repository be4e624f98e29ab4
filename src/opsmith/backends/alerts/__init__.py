"""Backends of the alerts seam."""
