"""One script a question; each writes one record."""
