"""Jobs and custom objects of Kubernetes clusters (`docs/targets/kubernetes.md`)."""
