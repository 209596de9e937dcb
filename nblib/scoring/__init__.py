"""Scores of contamination: attention, the likelihood of a line, matched filters, and metrics of detection."""
