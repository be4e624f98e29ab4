"""Backends of the intent seam: one encoder, and adapters that are swapped while it serves."""
