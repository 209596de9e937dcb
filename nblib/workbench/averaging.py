"""Bins averaged in cells of ln f, and what the dependence of neighbouring bins takes from their number of averages.

The mean of n bins of K averages each is Gamma again, with n K averages; the mean of logarithms is not.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.signal import get_window
from scipy.special import digamma, polygamma

from nblib.measured.welch import effective_averages
from nblib.smoothing import log_median

CELLS_A_DECADE = 50
LAGS = 4  # bins; correlation of the power further apart is left out
WINDOW_LENGTH = 512  # samples on which a named window is looked at


@dataclass(frozen=True, eq=False)
class Cells:
    """Bins averaged in cells, by frequency.

    Attributes
    ----------
    log_freqs : ln of the mean frequency over the reference
    mean, median : of the PSD; the median at the level of the mean
    averages : effective K of each mean for a smooth model: sum of K over 1 + 2 sum rho
    own_averages : K of the scatter of the cell itself, where bins beyond the cell do not count
    floor : known part of the PSD
    counts : bins
    neighbours : correlation of a cell's mean with the next one's
    """

    log_freqs: Float[ndarray, " cell"]
    mean: Float[ndarray, " cell"]
    median: Float[ndarray, " cell"]
    averages: Float[ndarray, " cell"]
    own_averages: Float[ndarray, " cell"]
    floor: Float[ndarray, " cell"]
    counts: Int[ndarray, " cell"]
    neighbours: Float[ndarray, " cell"]


def averaged(
    log_freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, " bin"],
    n_segments: Float[ndarray, " bin"],
    correlation: tuple[float, ...],
    first: float,
    floor: Float[ndarray, " bin"],
) -> Cells:
    """Cells of the bins given.

    Parameters
    ----------
    log_freqs : ln frequency over a reference, not decreasing
    correlation : of the power 1, 2, ... bins apart
    first : log_freqs of the axis' first bin, where the first cell begins
    floor : known part of the PSD
    """
    place = np.floor(CELLS_A_DECADE * (log_freqs - first) / np.log(10) + 1e-6).astype(int)
    starts = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
    counts = np.diff(np.append(starts, len(place)))
    total = np.add.reduceat(n_segments, starts)
    mean = np.add.reduceat(n_segments * psd, starts) / total
    centre = np.log(np.add.reduceat(n_segments * np.exp(log_freqs), starts) / total)
    median = np.array([np.median(part) for part in np.split(psd, starts[1:])])
    typical = total / counts
    # the median of two bins is their mean; of more it tends to that of the distribution
    bias = np.where(
        counts > 2, log_median(typical), np.where(counts == 1, log_median(typical), log_median(2 * typical))
    )
    own, neighbours = _cell_scatter(counts, correlation)
    close = np.append(np.diff(place[starts]) == 1, False)
    return Cells(
        centre,
        mean,
        median * np.exp(-bias),
        total / information_factor(correlation),
        total / own,
        np.add.reduceat(n_segments * floor, starts) / total,
        counts,
        np.where(close, neighbours, 0.0),
    )


def information_factor(correlation: tuple[float, ...]) -> float:
    """1 + 2 sum rho: by how much the bins overstate what they tell about a smooth model."""
    return 1 + 2 * sum(correlation)


def _cell_scatter(counts, correlation):
    """Variance of a mean over n dependent bins, times n / that of one bin; correlation of neighbouring cells' means."""
    own = np.ones(len(counts))
    following = np.append(counts[1:], 1)
    shared = np.zeros(len(counts))
    for lag, rho in enumerate(correlation, start=1):
        own += 2 * rho * np.maximum(1 - lag / counts, 0.0)
        shared += rho * np.minimum(lag, np.minimum(counts, following))
    return own, shared / np.sqrt(counts * own * following * np.append(own[1:], 1.0))


def expected_deviance(cells: Cells) -> tuple[float, float]:
    """Mean and variance of the true model's deviance, cells at their own scatter, neighbours' dependence counted.

    E 2K(u - 1 - ln u) = 2K(ln K - digamma K) and Var = 4K^2 (trigamma K - 1/K) for u = x/S of K averages.
    """
    k = cells.own_averages
    mean = 2 * k * (np.log(k) - digamma(k))
    variance = 4 * k**2 * (polygamma(1, k) - 1 / k)
    both = np.sqrt(variance[:-1] * variance[1:]) * cells.neighbours[:-1] ** 2
    return float(mean.sum()), float(variance.sum() + 2 * both.sum())


def window_correlation(window: str, overlap: float, n_averages: float) -> tuple[tuple[float, ...], float]:
    """Correlation of the power of white noise 1, 2, ... bins apart, and averages over effective averages, of a window.

    Parameters
    ----------
    window : known to scipy.signal.get_window
    overlap : share of a segment, 0 <= overlap < 1
    n_averages : segments that were averaged

    Raises
    ------
    ValueError for another window, or an overlap outside
    """
    try:
        taper = get_window(window, WINDOW_LENGTH)
    except (ValueError, TypeError) as error:
        raise ValueError(f"window={window!r} is not known to scipy.signal.get_window; use 'hann'") from error
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap={overlap} must be a share of a segment, 0 <= overlap < 1; Hann: 0.5")
    step = max(round((1 - overlap) * WINDOW_LENGTH), 1)
    number = max(round(n_averages), 1)
    distances = [m for m in range(-number + 1, number) if abs(m) * step < WINDOW_LENGTH]
    phases = np.exp(-2j * np.pi * np.arange(LAGS + 1)[:, None] * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)
    power = np.zeros(LAGS + 1)
    for distance in distances:
        low = abs(distance) * step
        products = taper[: WINDOW_LENGTH - low] * taper[low:]
        power += (1 - abs(distance) / number) * np.abs(phases[:, : len(products)] @ products) ** 2
    effective = effective_averages(np.arange(number), taper, step)
    correlation = power[1:] / power[0]
    return tuple(float(rho) for rho in correlation if rho > 1e-4), n_averages / effective
