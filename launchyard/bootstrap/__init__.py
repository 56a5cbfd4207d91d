"""The composition root: the only modules that may know every layer."""
