"""The agent's configuration: its keys, its checks, and where every value is from."""
