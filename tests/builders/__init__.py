"""Hand-made values for tests."""
