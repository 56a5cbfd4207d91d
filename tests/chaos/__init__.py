"""Bad days, caused on purpose."""
