"""Neighbouring bins that say the same: how many, and a spectrum of fewer bins that say something of their own.

Several tapers, a resolution bandwidth of many bins, padding with zeros and smoothing make neighbours alike. Their
common fluctuations look like lines of that width. So the bins are averaged in blocks that hardly depend on each other,
the blocks are judged, and each bin has the score of its block.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

LAGS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40])  # bins
FAR = 8  # bins; from here on the largest difference is that of bins that have nothing in common, or of nearer ones
PART = 300  # bins; at least so many measure a length
MOST_PARTS = 8
ALIKE = 0.3  # of the squared difference of far bins, two bins apart: Hann's is 0.95, and 0.53 one bin apart
APART = 0.85  # of it, from which on bins count as independent
FEWEST_BLOCKS = 60


def dependence_lengths(residual: Float[ndarray, " measured"]) -> Float[ndarray, " measured"]:
    """Bins over which the spectrum's scatter is common to neighbours, per measured bin; 1 where it is their own.

    Half the median squared difference of bins k apart rises with k up to the variance of what is a bin's own; how fast
    says how far neighbours depend on each other (a variogram: Matheron 1963, Economic Geology 58, 1246). The median
    leaves lines out. It is measured in parts of the axis: smoothing over a share of the frequency has no single length.

    Parameters
    ----------
    residual : ln x - ln S of the measured bins
    """
    n_bins = len(residual)
    n_parts = int(np.clip(n_bins // PART, 1, MOST_PARTS))
    edges = np.linspace(0, n_bins, n_parts + 1).astype(int)
    lengths = np.array([_length(residual[low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)])
    if (lengths > 1).sum() < max(n_parts / 2, 1):
        return np.ones(n_bins)
    centres = (edges[:-1] + edges[1:] - 1) / 2
    return np.exp(np.interp(np.arange(n_bins), centres, np.log(lengths)))


def _length(residual):
    """Lag from which on bins are as different as far ones; 1 where neighbours are no more alike than Hann's."""
    lags = LAGS[len(residual) / 4 > LAGS]
    far = lags >= FAR
    if not far.any():
        return 1.0
    differences = np.array([np.median(np.abs(residual[lag:] - residual[:-lag])) for lag in lags]) ** 2
    if differences[lags == 2][0] > ALIKE * differences[far].max():
        return 1.0
    reached = differences > APART * differences[far].max()
    return float(lags[np.argmax(reached)])


def blocks_of(valid: Bool[ndarray, " bin"], lengths: Float[ndarray, " measured"]) -> Int[ndarray, " bin"]:
    """Number of the block of each bin, rising from 0: a block is as many bins long as bins there depend on each other.

    At least FEWEST_BLOCKS, so that a background is left to be seen.
    """
    index = np.flatnonzero(valid)
    longest = max(len(index) / FEWEST_BLOCKS, 1.0)
    per_bin = np.interp(np.arange(len(valid)), index, np.minimum(lengths, longest))
    return np.floor(np.cumsum(1 / per_bin) - 1 / per_bin[0] + 1e-9).astype(int)
