"""Containers of a Docker engine (`docs/targets/docker.md`)."""
