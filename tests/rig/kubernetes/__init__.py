"""A stand-in for a Kubernetes cluster that real clients talk to over a socket, and its faults."""
