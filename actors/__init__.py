"""The agent as a running system: who does what, one thread each."""
