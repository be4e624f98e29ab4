"""The HTTP face: takes requests and webhooks, gives JSON, SSE and problem+json."""
