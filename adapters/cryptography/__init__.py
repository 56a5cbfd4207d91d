"""What needs the `cryptography` package: secrets at rest, and signatures."""
