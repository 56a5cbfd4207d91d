"""Targets that are four executables: plan, submit, status, cancel (`docs/targets/exec.md`)."""
