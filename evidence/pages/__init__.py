"""Published pages and answers, rendered from records."""
