"""Scores of contamination, the likelihood of a line, thresholds and metrics."""
