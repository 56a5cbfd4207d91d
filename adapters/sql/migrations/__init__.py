"""How the tables came to be; `schema` applies what is missing when a store is opened."""
