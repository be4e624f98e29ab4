"""Where pieces of work are done: threads of this process, or the workers of a Dask cluster."""
