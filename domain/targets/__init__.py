"""What each target is asked to do: pure planning, one module per target."""
