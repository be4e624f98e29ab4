"""One Protocol a file: where opsmith meets a store, a server or a kernel."""
