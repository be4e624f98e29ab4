"""Backends of the queue: Streams of a Valkey or Redis server, and the server started here."""
