"""The server's memory in a relational database."""
