"""This machine as a target: processes, virtual environments, and files in folders."""
