"""How much an averaged spectrum scatters about its background, and how neighbouring bins move together.

Both are measured on the lower half of the residual or on its clipped middle: lines only add power, so they must not
make a spectrum look noisier than it is.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from nblib.smoothing import LOWER, segments_of_spread

HANN_CORRELATION = (4 / 9, 1 / 36)  # of averaged Hann periodograms one and two bins apart
CLASS_LIMIT = 0.22  # correlation of neighbours that separates none from Hann's
BLOCK = 40  # bins; at least this many measure a local scatter
MAX_BLOCKS = 12
AGREEMENT = 5.0  # sampling errors between the largest and the smallest of blocks that agree
CHANCE = 2.0  # standard errors; a trend of the scatter that is smaller is not followed
STEEPEST = -0.75  # exponent of the scatter over the distance of bins; averaging independent bins gives -0.5
SAME_SPACING = float(np.log(1.3))  # ln units within which the distance of bins is one
FEWEST_FINEST = 80  # bins that measure a correlation
CLIP = 2.5  # standard deviations; beyond it a bin says nothing about the correlation
SAMPLE = 40  # bins looked at first for rounding


def lower_spread(residual: Float[ndarray, " bin"]) -> float:
    """Median minus the 15.87 % quantile, ln units: one standard deviation without the lines' side."""
    ordered, rank = np.sort(residual), LOWER * (len(residual) - 1)
    low = int(rank)
    quantile = ordered[low] + (rank - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2 - quantile)


def local_segments(
    residual: Float[ndarray, " bin"], log_spacing: Float[ndarray, " bin"] | None = None
) -> Float[ndarray, " bin"]:
    """K per bin from the residual's lower spread, in blocks.

    Where the distance of bins grows, bins were averaged into bands: K may follow a power of it, by a line through the
    blocks that chance does not explain. Blocks that then agree within their sampling error are taken together: on a
    plain grid K is one number. Where they do not, ln K is interpolated between their centres.

    Parameters
    ----------
    residual : ln x less a curve through its middle; where log_spacing is given, with a median of 0 all along the axis
    log_spacing : ln of the distance from bin to bin; None: it is one everywhere
    """
    n_bins = len(residual)
    n_blocks = int(np.clip(n_bins // BLOCK, 1, MAX_BLOCKS))
    edges = np.linspace(0, n_bins, n_blocks + 1).astype(int)
    pairs = list(zip(edges[:-1], edges[1:], strict=True))
    sampling_error = 1.6 / np.sqrt(n_bins / n_blocks)  # relative, of a lower spread; measured on Gamma draws
    log_spreads = np.log([_spread(residual[low:high]) for low, high in pairs])
    trend = np.zeros(n_bins)
    if log_spacing is not None and n_blocks > 1:
        places = np.array([log_spacing[low:high].mean() for low, high in pairs])
        trend = _slope(places, log_spreads, sampling_error) * (log_spacing - places.mean())
    rest = log_spreads - [trend[low:high].mean() for low, high in pairs]
    if n_blocks == 1 or np.ptp(rest) < AGREEMENT * sampling_error:
        return np.asarray(segments_of_spread(_spread(residual * np.exp(-trend)) * np.exp(trend)))
    centres = (edges[:-1] + edges[1:] - 1) / 2
    return np.asarray(segments_of_spread(np.exp(np.interp(np.arange(n_bins), centres, rest) + trend)))


def _spread(residual):
    return max(lower_spread(residual), 1e-12)


def _slope(places, log_spreads, sampling_error):
    """Of a line through the blocks' ln spreads over ln spacing, at most 0; 0 where chance explains it."""
    from_middle = places - places.mean()
    squares = (from_middle**2).sum()
    if np.ptp(places) < SAME_SPACING:
        return 0.0
    slope = float(np.clip((from_middle * log_spreads).sum() / squares, STEEPEST, 0.0))
    return slope if -slope > CHANCE * sampling_error / np.sqrt(squares) else 0.0


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


def grid_correlation(
    scaled: Float[ndarray, " bin"], index: Int[ndarray, " bin"], log_spacing: Float[ndarray, " bin"]
) -> tuple[float, float]:
    """As neighbour_correlation; where bins were averaged into bands the larger of all bins' and the finest ones'.

    Bands hardly depend on each other even where the bins in them do.

    Parameters
    ----------
    index : number of each measured bin on the grid
    log_spacing : ln of the distance from bin to bin
    """
    everywhere = neighbour_correlation(scaled, np.diff(index) == 1)
    finest = np.flatnonzero(log_spacing < log_spacing.min() + SAME_SPACING)
    if not FEWEST_FINEST <= len(finest) < len(scaled):
        return everywhere
    return max(everywhere, neighbour_correlation(scaled[finest], np.diff(index[finest]) == 1))
