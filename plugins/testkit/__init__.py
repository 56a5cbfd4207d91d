"""Conformance kits: one per port, for authors of plugins and for ourselves."""
