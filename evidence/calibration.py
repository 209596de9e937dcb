"""Thresholds from line-free spectra, and scores brought to one scale by them."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.scoring.metrics import detection_rate, false_alarm_rate, threshold_at

ALARM_RATES = (0.01, 0.05)  # of line-free spectra
KEEP_RATE = 0.05  # false alarms at which a cell is left out of a fit, and its neighbours; chosen on validation spectra


def combined_score(
    parts: list[Float[ndarray, "n cell"]], calibration: list[Float[ndarray, "m cell"]]
) -> Float[ndarray, "n cell"]:
    """Sum over scores of -ln p, p the share of line-free cells that score as high: label-free, in units that add up.

    Parameters
    ----------
    calibration : the same scores of line-free spectra
    """
    total = np.zeros_like(parts[0])
    for score, free in zip(parts, calibration, strict=True):
        order = np.sort(free.ravel())
        above = len(order) - np.searchsorted(order, score, side="left")
        # beyond the largest the tail goes on: each step of the calibration's own upper spread is a factor e
        scale = max(float(order[-len(order) // 100 :].mean() - np.quantile(order, 0.99)), 1e-12)
        total += np.log(len(order) / np.maximum(above, 1)) + np.maximum(score - order[-1], 0) / scale
    return total


def calibration(
    line_free_score: Callable[..., Float[ndarray, "n cell"]],
    noisy: Float[ndarray, "n cell"],
    truth: Bool[ndarray, "n cell"],
) -> dict[str, float]:
    """Thresholds from line-free validation spectra; false alarms on line-free test spectra, detections; per spectrum.

    Parameters
    ----------
    line_free_score : (split, **changes of the data set) -> scores of line-free spectra

    Returns
    -------
    "threshold at 1%", "false alarms at 1%", "detected at 1%" (shares of spectra), "false alarms at 1%, welch_hann"
    (same threshold, correlated estimation noise), and the same for 5 %
    """
    free, test_free = (line_free_score(split) for split in ("validation", "test"))
    correlated = line_free_score("test", intrinsic="welch_hann")
    found: dict[str, float] = {}
    for rate in ALARM_RATES:
        threshold = threshold_at(free, rate)
        found |= {
            f"threshold at {rate:.0%}": threshold,
            f"false alarms at {rate:.0%}": false_alarm_rate(test_free, threshold),
            f"false alarms at {rate:.0%}, welch_hann": false_alarm_rate(correlated, threshold),
            f"detected at {rate:.0%}": detection_rate(noisy, truth, threshold),
        }
    return found
