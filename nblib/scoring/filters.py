"""Filters along frequency: the running median, the matched-filter bank, and noise found without labels.

Equation numbers are those of docs/method.md.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import next_fast_len
from scipy.ndimage import median_filter
from scipy.special import gammaincinv

from nblib.simulation.noise import ALL_WIDTHS


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
    return filter_bank(torch.from_numpy(log_ratio), widths, n_segments)[0].numpy()


def filter_bank(log_ratio, widths, n_segments):
    """Largest response over widths, and the height (over background) and width of the line that gives it, per bin."""
    residual = torch.expm1(log_ratio)
    longest = len(gaussian_template(max(widths)))
    filtered, summed = correlator(residual, longest), correlator(torch.ones_like(residual[:1]), longest)
    best = torch.full_like(residual, -torch.inf)
    height, chosen = torch.zeros_like(residual), torch.zeros_like(residual)
    for width in widths:
        template = gaussian_template(width)
        power = summed(template**2).sqrt()
        response = filtered(template) / power
        wins = response > best
        height, chosen = torch.where(wins, response / power, height), chosen.masked_fill(wins, width)
        best = torch.maximum(best, response)
    return best * math.sqrt(n_segments), height, chosen


def gaussian_template(width: float) -> Float[ndarray, " tap"]:
    """Gaussian of standard deviation `width` bins and height 1, cut at four widths: an odd number of bins."""
    half = int(np.ceil(4 * width))
    return np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)


def correlator(rows, longest):
    """template -> correlation of each row with it, zeros beyond the ends, same length; the rows are transformed once.

    A template is symmetric and has at most `longest` bins.
    """
    n_bins = rows.shape[-1]
    size = next_fast_len(n_bins + longest - 1, real=True)
    transformed = torch.fft.rfft(rows, size)

    def correlate(template):
        kernel = torch.fft.rfft(torch.as_tensor(template, dtype=rows.dtype, device=rows.device), size)
        half = len(template) // 2
        return torch.fft.irfft(transformed * kernel, size)[..., half : half + n_bins]

    return correlate


# ---- baselines and limits ----


def running_median(log_psd: Float[ndarray, "n bin"], window: int, n_segments: float = 8) -> Float[ndarray, "n bin"]:
    """ln background from a running median of ln x, corrected for the median of Gamma(K, 1/K). window in bins, odd."""
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window={window} must be an odd number of bins, at least 3")
    # row by row: scipy's one-dimensional filter is some fifty times faster than its two-dimensional one
    median = np.stack([median_filter(row, size=window, mode="nearest") for row in log_psd])
    return median - np.log(gammaincinv(n_segments, 0.5) / n_segments)
