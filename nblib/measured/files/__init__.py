"""Reading spectra and time series from files."""
