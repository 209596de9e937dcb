"""A user's measured spectra: files, the detector, sources, products, the command. Needs no torch."""
