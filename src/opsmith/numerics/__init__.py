"""Robust statistics, kernels and graph walks on arrays."""
