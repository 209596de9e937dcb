"""Neighbouring bins that say the same: how many, and a spectrum of fewer bins that say something of their own.

Several tapers, a resolution bandwidth of many bins, padding with zeros and smoothing make neighbours alike. Their
common fluctuations look like lines of that width. So the bins are averaged in blocks that depend on each other no more
than Hann's bins do, the blocks are judged, and each bin has the score of its block.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from nblib.measured.statistic.background import median

LAGS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40])  # bins
FAR = 8  # bins; from here on the largest difference is that of bins that have nothing in common, or of nearer ones
PART = 300  # bins; at least so many measure a length
MOST_PARTS = 8
ALIKE = 0.3  # of the squared difference of far bins, two bins apart: Hann's is 0.95, and 0.53 one bin apart
APART = 0.85  # of it, from which on bins count as independent
OWN_SCATTER = 0.5  # of the variance 1/K, that bins two apart do not share: from here on they are not dependent
MOSTLY = 2 / 3  # of the parts must say so: points that were put in between others are dense on one side only
EVEN = 4.0  # times that the variance of far bins may differ between half of the parts: a line lifts its own
NORMAL = 0.9539**2  # squared median of the difference of two standard normal numbers
FEWEST_BLOCKS = 60
BLOCK_SHARE = 0.5  # of that length that a block has: neighbouring blocks then correlate no more than Hann's bins do


def dependence_lengths(
    residual: Float[ndarray, " measured"], n_segments: float | None = None
) -> Float[ndarray, " measured"]:
    """Bins over which the spectrum's scatter is common to neighbours, per measured bin; 1 where it is their own.

    Half the median squared difference of bins k apart rises with k up to the variance of what is a bin's own; how fast
    says how far neighbours depend on each other (a variogram: Matheron 1963, Economic Geology 58, 1246). The median
    leaves lines out. It is measured in parts of the axis: smoothing over a share of the frequency has no single length.

    A rough background is smooth over a few bins as well. It differs: its bins still scatter by as much as K says, and
    it is not as rough all along the axis, while an estimator's scatter is one everywhere, or falls as the bins in a
    share of the frequency grow more.

    Parameters
    ----------
    residual : ln x - ln S of the measured bins
    n_segments : K as stated, typical; None where it is not
    """
    n_bins = len(residual)
    n_parts = int(np.clip(n_bins // PART, 1, MOST_PARTS))
    edges = np.linspace(0, n_bins, n_parts + 1).astype(int)
    variograms = [_variogram(residual[low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    lengths, near, far = (np.array(column) for column in zip(*variograms, strict=True))
    centres = (edges[:-1] + edges[1:] - 1) / 2
    is_even = min(_half_range(np.log(far)), _half_range(np.log(far * (centres + 1)))) < np.log(EVEN)
    is_own = n_segments is not None and np.median(near) * n_segments > OWN_SCATTER
    if (lengths > 1).sum() < MOSTLY * n_parts or is_own or not is_even:
        return np.ones(n_bins)
    return np.exp(np.interp(np.arange(n_bins), centres, np.log(lengths)))


def _half_range(values):
    """Width of the narrowest range that half of the values lie in."""
    ordered, half = np.sort(values), (len(values) + 1) // 2
    return (ordered[half - 1 :] - ordered[: len(values) - half + 1]).min()


def _variogram(residual):
    """Lag from which on bins are as different as far ones, 1 where neighbours are no more alike than Hann's; and the
    variance, in ln units, of what bins two apart and far bins do not share.
    """
    lags = LAGS[max(len(residual) / 4, FAR + 1) > LAGS]

    def difference(lag):
        return median(np.abs(residual[lag:] - residual[:-lag])) ** 2 / NORMAL

    near, far = difference(2), max(*(difference(lag) for lag in lags[lags >= FAR]), 1e-12)
    if near > ALIKE * far:
        return 1.0, near, far
    differences = np.array([difference(lag) for lag in lags])
    return float(lags[np.argmax(differences > APART * far)]), near, far


def blocks_of(
    valid: Bool[ndarray, " bin"], lengths: Float[ndarray, " measured"], shift: float = 0.0
) -> Int[ndarray, " bin"]:
    """Number of the block of each bin, rising from 0: a block is BLOCK_SHARE of the length that bins depend on over.

    At least FEWEST_BLOCKS, so that a background is left to be seen.

    Parameters
    ----------
    shift : of the blocks' ends, as a share of a block; 0 to 1
    """
    index = np.flatnonzero(valid)
    longest = max(len(index) / FEWEST_BLOCKS, 1.0)
    sizes = np.clip(BLOCK_SHARE * lengths, 1.0, longest)
    per_bin = np.interp(np.arange(len(valid)), index, sizes)
    return np.floor(np.cumsum(1 / per_bin) - 1 / per_bin[0] + shift + 1e-9).astype(int)
