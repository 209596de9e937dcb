"""How much an averaged spectrum scatters about its background, and how neighbouring bins move together.

Both are measured on the lower half of the residual or on its clipped middle: lines only add power, so they must not
make a spectrum look noisier than it is.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.smoothing import LOWER, segments_of_spread

HANN_CORRELATION = (4 / 9, 1 / 36)  # of averaged Hann periodograms one and two bins apart
CLASS_LIMIT = 0.22  # correlation of neighbours that separates none from Hann's
BLOCK = 40  # bins; at least this many measure a local scatter
MAX_BLOCKS = 12
CLIP = 2.5  # standard deviations; beyond it a bin says nothing about the correlation
SAMPLE = 40  # bins looked at first for rounding


def lower_spread(residual: Float[ndarray, " bin"]) -> float:
    """Median minus the 15.87 % quantile, ln units: one standard deviation without the lines' side."""
    ordered, rank = np.sort(residual), LOWER * (len(residual) - 1)
    low = int(rank)
    quantile = ordered[low] + (rank - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2 - quantile)


def local_segments(residual: Float[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """K per bin from the residual's lower spread, in blocks, interpolated between their centres.

    Blocks that agree within their sampling error are taken together: on a plain grid K is one number.
    """
    n_bins = len(residual)
    n_blocks = int(np.clip(n_bins // BLOCK, 1, MAX_BLOCKS))
    edges = np.linspace(0, n_bins, n_blocks + 1).astype(int)
    pairs = list(zip(edges[:-1], edges[1:], strict=True))
    spreads = np.array([max(lower_spread(residual[low:high]), 1e-12) for low, high in pairs])
    sampling_error = 1.6 / np.sqrt(n_bins / n_blocks)  # relative, of a lower spread; measured on Gamma draws
    if n_blocks == 1 or np.ptp(np.log(spreads)) < 4 * sampling_error:
        return np.full(n_bins, segments_of_spread(max(lower_spread(residual), 1e-12)))
    centres = (edges[:-1] + edges[1:] - 1) / 2
    return np.asarray(segments_of_spread(np.exp(np.interp(np.arange(n_bins), centres, np.log(spreads)))))


def rounding_step(psd: Float[ndarray, " bin"]) -> float:
    """Relative step that the values were rounded to: significant digits or decibels; 0 where none is seen.

    Values written with 3 digits are up to 1 % apart: the estimate then scatters at least by the rounding.
    """
    if len(psd) > SAMPLE and not rounding_step(psd[:: len(psd) // SAMPLE][:SAMPLE]):
        return 0.0  # seen on a few: most spectra are not rounded
    exponent = np.floor(np.log10(psd))
    for digits in range(2, 6):
        rounded = np.round(psd / 10.0 ** (exponent - digits + 1)) * 10.0 ** (exponent - digits + 1)
        if (np.abs(rounded - psd) <= 1e-9 * psd).all():
            return 10.0 ** (1 - digits)
    level = 10 * np.log10(psd)
    for step in (1.0, 0.1, 0.01):
        if (np.abs(np.round(level / step) * step - level) <= 1e-6 * step).all():
            return step * np.log(10) / 10
    return 0.0


def neighbour_correlation(scaled: Float[ndarray, " bin"], adjacent: ndarray) -> tuple[float, float]:
    """Correlation of the residual one and two bins apart: none, Hann's, or as measured where it is more.

    Parameters
    ----------
    scaled : residual over its scatter, middle at 0
    adjacent : (bin - 1,) True where two values stand in neighbouring bins
    """
    clipped = np.where(np.abs(scaled) < CLIP, scaled, np.nan)
    clipped = clipped - np.nanmean(clipped)
    power = np.nanmean(clipped**2)
    products = (clipped[1:] * clipped[:-1])[adjacent]
    if np.isfinite(products).sum() < 20 or not power:
        return HANN_CORRELATION
    first = float(np.nanmean(products) / power)
    if first < CLASS_LIMIT:
        return 0.0, 0.0
    if first < 0.6:
        return HANN_CORRELATION
    pairs = (clipped[2:] * clipped[:-2])[adjacent[1:] & adjacent[:-1]]
    return min(first, 0.95), float(np.clip(np.nanmean(pairs) / power, 0.0, 0.9))
