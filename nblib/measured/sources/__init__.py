"""Lines, combs and likely sources of what is flagged."""
