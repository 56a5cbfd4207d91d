"""The command line: parses, calls an inbound port, prints."""
