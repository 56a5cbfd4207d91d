"""User stories, told with the real programs."""
