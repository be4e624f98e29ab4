"""Backends of the graph seam: an embedded database, or Neo4j by URL."""
