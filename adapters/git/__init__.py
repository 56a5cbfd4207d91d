"""Repositories, fetched by the git command line with everything a stranger could use shut off."""
