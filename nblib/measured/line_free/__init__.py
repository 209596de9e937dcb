"""Simulated backgrounds of unknown form, with and without noise: what thresholds are drawn from."""
