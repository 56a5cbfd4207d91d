"""W&B servers: their GraphQL interface, as an agent of theirs uses it."""
