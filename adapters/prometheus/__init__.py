"""Numbers for Prometheus: counting them, merging those of several processes, showing them."""
