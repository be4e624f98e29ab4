"""ingest: takes outside telemetry, gives Series, Alert, Spans, Logs, Change, Topology."""
