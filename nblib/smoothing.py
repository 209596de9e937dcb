"""Gaussian filters, running medians, the median of an averaged spectrum: what the idea and the detector both need."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import median_filter
from scipy.special import gammaincinv

LOOKUP = 64  # values of K between which the median is interpolated
LOWER = 0.1587  # quantile one standard deviation below the median
SEGMENTS_GRID = np.exp(np.linspace(np.log(0.5), np.log(1e7), 120))
SPREADS = np.log(gammaincinv(SEGMENTS_GRID, 0.5) / gammaincinv(SEGMENTS_GRID, LOWER))


def gaussian(width: float, reach: float) -> Float[ndarray, " tap"]:
    """Gaussian of standard deviation `width` bins and height 1, cut at `reach` widths: an odd number of bins."""
    half = int(np.ceil(reach * width))
    return np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)


@lru_cache(maxsize=256)
def _transform(template: bytes, dtype: np.dtype, size: int) -> ndarray:
    return rfft(np.frombuffer(template, dtype), size)


def correlator(rows: Float[ndarray, "*n bin"], longest: int) -> Callable[[ndarray], ndarray]:
    """template -> correlation of each row with it, zeros beyond the ends, same length; the rows are transformed once.

    Parameters
    ----------
    longest : bins of the longest template; templates are symmetric. A longer one wraps around: values nearer to an end
        than half its length are wrong
    """
    n_bins = rows.shape[-1]
    size = next_fast_len(n_bins + longest - 1, real=True)
    transformed = rfft(rows, size)

    def correlate(template: ndarray) -> ndarray:
        kernel = _transform(template.astype(rows.dtype).tobytes(), rows.dtype, size)
        half = len(template) // 2
        return irfft(transformed * kernel, size)[..., half : half + n_bins]

    return correlate


def rolling_median(values: Float[ndarray, "*n bin"], window: int) -> Float[ndarray, "*n bin"]:
    """Running median along the last axis; beyond the ends the end values go on. window : bins, odd.

    Raises
    ------
    ValueError for an even window, or one below three bins
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"window={window} must be an odd number of bins, at least 3")
    # row by row: scipy's one-dimensional filter is some fifty times faster than its two-dimensional one
    return np.apply_along_axis(median_filter, -1, values, window, mode="nearest")


def mirrored_median(values: Float[ndarray, " bin"], window: int, first: float, last: float) -> Float[ndarray, " bin"]:
    """Running median; beyond the ends the values are mirrored through end points, so that a slope goes on.

    Parameters
    ----------
    first, last : values of the end points
    """
    half = min(window // 2, (len(values) - 1) // 2)
    low, high = 2 * first - values[half:0:-1], 2 * last - values[-2 : -half - 2 : -1]
    return median_filter(np.concatenate([low, values, high]), 2 * half + 1)[half : half + len(values)]


def log_median(n_segments: float | ndarray) -> float | ndarray:
    """ln of the median of an averaged spectrum over its mean: of Gamma(K, 1/K), always below 0."""
    if np.ndim(n_segments) and np.ptp(n_segments) == 0:
        return np.full(np.shape(n_segments), log_median(np.ravel(n_segments)[0]))
    values, back = np.unique(n_segments, return_inverse=True)
    if len(values) > LOOKUP:  # the inverse gamma is slow
        grid = np.geomspace(values[0], values[-1], LOOKUP)
        return np.interp(np.log(n_segments), np.log(grid), np.log(gammaincinv(grid, 0.5) / grid))
    found = np.log(gammaincinv(values, 0.5) / values)[back]
    return found.reshape(np.shape(n_segments)) if np.ndim(n_segments) else float(found.ravel()[0])


def segments_of_spread(spread: float | ndarray) -> float | ndarray:
    """K of the Gamma distribution whose ln has this lower spread: median minus LOWER quantile, ln units."""
    return np.exp(np.interp(-np.log(np.maximum(spread, 1e-12)), -np.log(SPREADS), np.log(SEGMENTS_GRID)))
