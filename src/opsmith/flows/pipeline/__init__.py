"""pipeline: a lease off the queue gets its context, is split into shards, done and settled.

Back-pressure runs against the stream: shards wait in a bounded channel, so jobs wait for their
shards, so no more jobs are claimed, so the rest stays on the queue for other workers.
"""
