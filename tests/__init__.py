"""Tests; a package, so that `tests/actors` is never imported as `actors`."""
