"""Posts events to an address that people choose: signed, tried again, and to no private network."""
