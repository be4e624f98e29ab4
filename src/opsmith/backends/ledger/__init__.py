"""Backends of the ledger seam."""
