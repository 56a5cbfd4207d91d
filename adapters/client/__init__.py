"""Our own server, reached over its REST interface: for agents and for people."""
