"""Spectra: physics, noise, cells, filters and the files they are read from."""
