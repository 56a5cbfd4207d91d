"""Real services that tests start: a docker daemon, a base image, a Prometheus."""
