"""A user's own spectra: from a file or a time series to flagged ranges and their likely source."""
