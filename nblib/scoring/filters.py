"""Filters along frequency: the matched-filter bank and the running median.

Equation numbers are those of docs/method.md.
"""

from functools import reduce

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.simulation.noise import ALL_WIDTHS
from nblib.smoothing import correlator, gaussian, log_median, rolling_median

REACH = 4.0  # standard deviations at which a template ends


def matched_filter(
    log_ratio: Float[ndarray, "n bin"], widths=ALL_WIDTHS, n_segments: float = 8
) -> Float[ndarray, "n bin"]:
    """Bank of Gaussian matched filters on the residual x/S - 1, eq. 10: the largest response over widths, per bin.

    Parameters
    ----------
    log_ratio : ln x - ln S, S the true, estimated or modelled background
    widths : standard deviations, bins

    Returns
    -------
    in standard deviations of the intrinsic noise (1/sqrt(K) per bin)
    """
    residual = np.expm1(log_ratio)
    longest = len(gaussian(max(widths), REACH))
    filtered, summed = correlator(residual, longest), correlator(np.ones_like(residual[:1]), longest)
    templates = [gaussian(width, REACH) for width in widths]
    responses = (filtered(template) / np.sqrt(summed(template**2)) for template in templates)
    return reduce(np.maximum, responses) * np.sqrt(n_segments).astype(residual.dtype)


def running_median(log_psd: Float[ndarray, "n bin"], window: int, n_segments: float = 8) -> Float[ndarray, "n bin"]:
    """ln background from a running median of ln x, corrected for the median of Gamma(K, 1/K). window in bins, odd."""
    return rolling_median(log_psd, window) - log_median(n_segments)
