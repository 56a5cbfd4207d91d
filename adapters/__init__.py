"""The outside world: one folder per technology, holding whatever ports it serves."""
