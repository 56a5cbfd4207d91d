"""Launchyard: puts machine-learning jobs on queues and runs them on any compute."""

__version__ = "0.1.0"
