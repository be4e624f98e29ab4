"""Backends of the metrics seam."""
