"""One folder a seam, one file a backend."""
