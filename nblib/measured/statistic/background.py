"""A robust background of a measured spectrum on any grid, whose form nobody has to write down.

A smoothing spline of ln x in a coordinate that runs with ln f where the grid is coarse in ln f and with the bin number
where it is fine; lines are held down by Huber's weights, so that they neither lift the curve nor make it run away.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg.lapack import dpbsv
from scipy.ndimage import median_filter, uniform_filter1d

from nblib.smoothing import mirrored_median

HUBER = 0.7  # standard deviations from which on a bin weighs less
REJECT = 5.0  # standard deviations above the background from which on a bin is a line
REJECTED_WEIGHT = 0.02  # not 0: a background that begins too low must be able to rise
ITERATIONS = 8
END_BINS = 9  # through which the line is laid that goes on beyond an end
END_PAIRS = np.triu_indices(END_BINS, 1)
STANDSTILL = 0.02  # standard deviations: a curve that moves less is done
SHORTEST = 8.0  # bins; of a smoothing length on a grid of few bins
HALVINGS = 3  # of the smoothing length, where the spectrum stays below the curve
DEFICIT = 4.5  # standard deviations of a mean over DEFICIT_LENGTHS bins
DEFICIT_CLIP = 6.0  # standard deviations of one bin
DEFICIT_LENGTHS = (5, 15)  # bins
DEFICIT_REACH = 1.5  # smoothing lengths around such a place
SPACING_BINS = 9  # that the local distance of bins is a mean over: bands of one and two bins take turns
HANN_WIDENING = 0.93  # added variance of a mean over many bins of Hann's estimator
NORMAL_QUARTILE = 0.6745


@dataclass(frozen=True)
class Stiffness:
    """How far the background can bend.

    Attributes
    ----------
    bins : smoothing length where the grid is fine, bins
    share : largest smoothing length as a share of all bins: a roll-off is as steep on a coarse grid
    log_length : largest smoothing length in ln f (0.5: an octave and a half across the whole kernel)
    window : bins of the running median that it starts from
    """

    bins: float
    share: float
    log_length: float
    window: int


SOFT, STIFF = Stiffness(60, 0.05, 0.2, 201), Stiffness(120, 0.1, 0.3, 401)


@dataclass(frozen=True, eq=False)
class Grid:
    """Measured bins of a frequency axis.

    Attributes
    ----------
    freqs : (bin,) Hz, increasing
    valid : (bin,) True where there is a measurement at f > 0
    """

    freqs: Float[ndarray, " bin"]
    valid: Bool[ndarray, " bin"]

    @cached_property
    def index(self) -> ndarray:
        """Positions of the measured bins."""
        return np.flatnonzero(self.valid)

    @cached_property
    def log_spacing(self) -> Float[ndarray, " measured"]:
        """ln of the distance from one bin to the next around each measured bin: it grows where bins are averaged."""
        steps = uniform_filter1d(np.diff(self.freqs), SPACING_BINS, mode="nearest")
        return np.log(np.append(steps, steps[-1]))[self.index]

    def coordinate(self, stiffness: Stiffness) -> Float[ndarray, " measured"]:
        """Coordinate of the measured bins in smoothing lengths: the shorter of the two lengths counts."""
        log_steps = np.diff(np.log(self.freqs[self.index])) / stiffness.log_length
        length = min(stiffness.bins, max(stiffness.share * len(self.index), SHORTEST))
        return np.concatenate([[0.0], np.cumsum(np.maximum(log_steps, np.diff(self.index) / length))])


def curvature_penalty(coordinate: Float[ndarray, " bin"]) -> Float[ndarray, "3 bin"]:
    """Banded matrix of the squared second divided differences (lower form of LAPACK's dpbsv).

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
    """Smoothing spline: minimises sum w (y - b)^2 + b' P b; bins of weight 0 are interpolated.

    Raises
    ------
    numpy.linalg.LinAlgError for negative weights
    """
    matrix = penalty.copy(order="F")
    matrix[0] += weights + 1e-9
    _, smooth, failed_at = dpbsv(matrix, weights * values, lower=True, overwrite_ab=True, overwrite_b=True)
    if failed_at:
        raise np.linalg.LinAlgError(f"the smoothing spline's matrix is not positive definite at bin {failed_at}")
    return smooth


def median(values: Float[ndarray, " n"]) -> float:
    """numpy's median of finite values in a third of its time or less, most of which goes into checks."""
    high = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, high)[high])
    ordered = np.partition(values, (high - 1, high))
    return float(ordered[high - 1] + ordered[high]) / 2


def _end_value(values, coordinate):
    """Value at the first point of a robust line (Theil 1950) through END_BINS points: one odd bin does not move it."""
    low, high = END_PAIRS
    slope = median((values[high] - values[low]) / (coordinate[high] - coordinate[low]))
    return median(values - slope * (coordinate - coordinate[0]))


def first_background(
    values: Float[ndarray, " bin"], window: int, coordinate: Float[ndarray, " bin"]
) -> Float[ndarray, " bin"]:
    """Running median, mirrored beyond the ends through robust end points."""
    first = _end_value(values[:END_BINS], coordinate[:END_BINS])
    last = _end_value(values[::-1][:END_BINS], coordinate[::-1][:END_BINS])
    return mirrored_median(values, window, first, last)


def _scaled(residual, scatter):
    """Residual in units of its scatter, or of its own median deviation where that is larger."""
    centred = np.abs(residual - median(residual)) / scatter
    return residual / (scatter * max(1.0, median(centred) / NORMAL_QUARTILE))


def _held_down(log_psd, background, scatter, penalty, iterations):
    """Iteratively reweighted smoothing; stops where the curve stands still."""
    # a bin that was averaged less than those around it says less
    uneven = np.ndim(scatter) > 0 and np.ptp(scatter) > 0
    trust = np.minimum(1.0, (median_filter(scatter, END_BINS) / scatter) ** 2) if uneven else 1.0
    for _ in range(iterations):
        scaled = _scaled(log_psd - background, scatter)
        weights = trust / np.maximum(1.0, np.abs(scaled) / HUBER)
        weights[scaled > REJECT] = REJECTED_WEIGHT
        before, background = background, weighted_smooth(log_psd, weights, penalty)
        if np.abs(before - background).max() < STANDSTILL * np.min(scatter):
            break
    return background


def _deficits(scaled):
    """True where the residual lies below the background over some bins, more than estimation noise explains.

    External noise only adds power, so this is the background's own error: it is too stiff there.
    """
    clipped = np.clip(scaled, -DEFICIT_CLIP, DEFICIT_CLIP)
    below = scaled < -DEFICIT_CLIP
    for length in DEFICIT_LENGTHS:
        if length < len(scaled) // 4:
            mean = uniform_filter1d(clipped, length, mode="nearest")
            below |= mean * np.sqrt(length) < -DEFICIT * np.sqrt(1 + HANN_WIDENING * (length > 1))
    return below


def robust_background(
    log_psd: Float[ndarray, " measured"],
    grid: Grid,
    scatter: float | Float[ndarray, " measured"],
    stiffness: Stiffness,
    iterations: int = ITERATIONS,
) -> Float[ndarray, " measured"]:
    """ln background of the measured bins.

    The smoothing length is halved around bins where the spectrum stays below the curve, until none is left or the
    length is an eighth: lines cannot make such a place, walls and knees do.

    Parameters
    ----------
    log_psd : ln x of the measured bins, in order
    scatter : standard deviation of ln x about its background, ln units; the residual's own where that is larger

    Returns
    -------
    the middle of the residual's distribution is 0 (no correction for the median of the estimate)
    """
    level = median(log_psd)  # the curve must not know the unit
    log_psd = log_psd - level
    coordinate = grid.coordinate(stiffness)
    steps = np.diff(coordinate)
    start = first_background(log_psd, stiffness.window, coordinate)
    for _ in range(HALVINGS + 1):
        coordinate = np.concatenate([[0.0], np.cumsum(steps)])
        background = _held_down(log_psd, start, scatter, curvature_penalty(coordinate), iterations)
        background = background + median(log_psd - background)
        deficits = coordinate[_deficits(_scaled(log_psd - background, scatter))]
        if not len(deficits):
            break
        nearest = np.clip(np.searchsorted(deficits, coordinate), 1, max(len(deficits) - 1, 1))
        distance = np.abs(coordinate - deficits[np.minimum(nearest, len(deficits) - 1)])
        near = np.minimum(distance, np.abs(coordinate - deficits[nearest - 1])) < DEFICIT_REACH
        steps = np.where(near[1:] | near[:-1], 2 * steps, steps)
    return background + level
