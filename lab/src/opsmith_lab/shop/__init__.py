"""The shop: one Python module a service, each run as a process of its own."""
