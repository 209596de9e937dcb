"""Simulated spectra: the published background, external noise, and the scatter of the estimate."""
