"""A robust background of a measured spectrum on any grid, whose form nobody has to write down.

A smoothing spline of ln x in a coordinate that runs with ln f where the grid is coarse in ln f and with the bin number
where it is fine; lines are held down by Huber's weights, so that they neither lift the curve nor make it run away.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.ndimage import median_filter
from scipy.special import gammaincinv

HUBER = 0.7  # standard deviations from which on a bin weighs less
REJECT = 5.0  # standard deviations above the background from which on a bin is a line
REJECTED_WEIGHT = 0.02  # not 0: a background that begins too low must be able to rise
ITERATIONS = 8
NORMAL_QUARTILE = 0.6745


@dataclass(frozen=True)
class Stiffness:
    """How far the background can bend.

    bins       : smoothing length where the grid is fine, bins
    log_length : largest smoothing length in ln f (0.5: an octave and a half across the whole kernel)
    window     : bins of the running median that it starts from
    """

    bins: float
    log_length: float
    window: int


SOFT, STIFF = Stiffness(60, 0.4, 201), Stiffness(120, 0.5, 401)


@dataclass(frozen=True, eq=False)
class Grid:
    """Measured bins of a frequency axis.

    freqs : (bin,) Hz, increasing; valid : (bin,) True where there is a measurement at f > 0
    """

    freqs: Float[ndarray, " bin"]
    valid: Bool[ndarray, " bin"]

    @cached_property
    def index(self) -> ndarray:
        """Positions of the measured bins."""
        return np.flatnonzero(self.valid)

    def coordinate(self, stiffness: Stiffness) -> Float[ndarray, " measured"]:
        """Coordinate of the measured bins in smoothing lengths: the shorter of the two lengths counts."""
        log_steps = np.diff(np.log(self.freqs[self.index])) / stiffness.log_length
        return np.concatenate([[0.0], np.cumsum(np.maximum(log_steps, np.diff(self.index) / stiffness.bins))])


def curvature_penalty(coordinate: Float[ndarray, " bin"]) -> Float[ndarray, "3 bin"]:
    """Banded matrix of the squared second divided differences (lower form of scipy.linalg.solveh_banded).

    With one smoothing length a unit of the coordinate the penalty's factor is 1: the local number of bins a length
    cancels against the step.
    """
    steps = np.diff(coordinate)
    first, second = steps[:-1], steps[1:]
    left, middle, right = 2 / (first * (first + second)), -2 / (first * second), 2 / (second * (first + second))
    bands = np.zeros((3, len(coordinate)))
    bands[0, :-2] += left**2
    bands[0, 1:-1] += middle**2
    bands[0, 2:] += right**2
    bands[1, :-2] += left * middle
    bands[1, 1:-1] += middle * right
    bands[2, :-2] += left * right
    return bands


def weighted_smooth(values: ndarray, weights: ndarray, penalty: Float[ndarray, "3 bin"]) -> ndarray:
    """Smoothing spline: minimises sum w (y - b)^2 + b' P b; bins of weight 0 are interpolated."""
    matrix = penalty.copy()
    matrix[0] += weights + 1e-9
    return solveh_banded(matrix, weights * values, lower=True, overwrite_ab=True, check_finite=False)


def mirrored_median(values: Float[ndarray, " bin"], window: int) -> Float[ndarray, " bin"]:
    """Running median; beyond the ends the values are mirrored through the end point, so that a slope goes on."""
    half = min(window // 2, (len(values) - 1) // 2)
    low = 2 * np.median(values[:3]) - values[1 : half + 1][::-1]
    high = 2 * np.median(values[-3:]) - values[-half - 1 : -1][::-1]
    return median_filter(np.concatenate([low, values, high]), 2 * half + 1)[half : half + len(values)]


def log_median(n_segments: float | ndarray) -> float | ndarray:
    """ln of the median of an averaged spectrum over its mean: of Gamma(K, 1/K), always below 0."""
    return np.log(gammaincinv(n_segments, 0.5) / n_segments)


def robust_background(
    log_psd: Float[ndarray, " measured"],
    grid: Grid,
    scatter: float | Float[ndarray, " measured"],
    stiffness: Stiffness,
    iterations: int = ITERATIONS,
) -> Float[ndarray, " measured"]:
    """ln background of the measured bins.

    log_psd : ln x of the measured bins, in order
    scatter : standard deviation of ln x about its background, ln units; a larger one is used where the residual shows it
    returns : the middle of the residual's distribution is 0 (no correction for the median of the estimate)
    """
    background = mirrored_median(log_psd, stiffness.window)
    penalty = curvature_penalty(grid.coordinate(stiffness))
    for _ in range(iterations):
        residual = log_psd - background
        centred = np.abs(residual - np.median(residual)) / scatter
        scaled = residual / (scatter * max(1.0, np.median(centred) / NORMAL_QUARTILE))
        weights = 1 / np.maximum(1.0, np.abs(scaled) / HUBER)
        weights[scaled > REJECT] = REJECTED_WEIGHT
        background = weighted_smooth(log_psd, weights, penalty)
    return background + np.median(log_psd - background)
