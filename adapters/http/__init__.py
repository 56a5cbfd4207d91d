"""The server's outside: REST, live streams and health, thin around the domain and the store."""
