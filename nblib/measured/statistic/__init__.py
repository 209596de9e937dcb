"""The detector's statistic: background, whitening, filter bank, network, thresholds."""
