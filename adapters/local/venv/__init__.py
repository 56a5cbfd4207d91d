"""Virtual environments made from what a job requires, each once, and shared by equal jobs."""
