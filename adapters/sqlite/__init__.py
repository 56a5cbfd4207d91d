"""What an agent keeps in a SQLite file of its own."""
