"""YAML read with the line of every value, and written."""
