"""The agent's actors, with real threads, real worker processes and a server that misbehaves."""
