"""metric_watch: metrics in, signs out: what is odd now, and what will cross its threshold."""
