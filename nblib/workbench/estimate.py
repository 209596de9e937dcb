"""Parameters of a form from cells: Whittle's likelihood of their means, or Student's t of their medians.

Both are least squares on signed roots of a cost, with its analytic slopes. Starts are looked for by non-negative least
squares on a grid of corners, one Lorentzian after the other, so that nobody has to give them.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.optimize import least_squares, lsq_linear, nnls

from nblib.workbench.averaging import Cells
from nblib.workbench.model import Form, log_psd_and_slopes, log_shapes

STUDENT = 3.0  # degrees of freedom of the robust fit
BALANCE = 0.17  # added to z: the mean slope of the two unlike sides is 0 for normal z
N_STARTS = 28  # corners that a Lorentzian may start from
N_MINIMA = 3  # of them are followed
AMPLITUDE_BOUND = 60.0  # ln units about the reference level
SMALLEST = 0.01  # of the level at a corner: start of an amplitude that non-negative least squares puts to 0
GAMMA_STARTS = (0.7, 1.0, 1.3)
MEDIAN_VARIANCE = np.pi / 2  # of a median over that of a mean, many values
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Problem:
    """What is fitted, and how.

    Attributes
    ----------
    robust : of the medians: Student's t above the model and least squares below it, as external power only adds; else
        Whittle's deviance of the means
    gamma : lowest and highest exponent of the power law
    span : lowest and highest ln corner frequency
    """

    cells: Cells
    robust: bool
    gamma: tuple[float, float]
    span: tuple[float, float]

    def roots(self, log_psd: Float[ndarray, " cell"]) -> tuple[ndarray, ndarray]:
        """Signed root of each cell's cost, and its slope by ln S; the sum of squares is the cost."""
        cells = self.cells
        if self.robust:
            scale = np.sqrt(cells.averages / np.where(cells.counts > 2, MEDIAN_VARIANCE, 1.0))
            z = (np.log(cells.median) - log_psd) * scale + BALANCE
            steepest = np.sqrt((STUDENT + 1) / STUDENT)  # slope of both sides at z = 0
            above = np.maximum(z, 1e-6)
            root = np.sqrt((STUDENT + 1) * np.log1p(above**2 / STUDENT))
            slope = np.where(z > 1e-6, (STUDENT + 1) * above / (STUDENT + above**2) / root, steepest)
            return np.where(z > 1e-6, root, steepest * z), -slope * scale
        excess = np.log(cells.mean) - log_psd
        value = _deviance_roots(excess, cells.averages)
        small = np.abs(excess) < 1e-7
        slope = -cells.averages * np.expm1(np.minimum(excess, 600.0)) / np.where(small, 1.0, value)
        return value, np.where(small, -np.sqrt(cells.averages), slope)

    def bounds(self, form: Form) -> tuple[ndarray, ndarray]:
        """Lowest and highest parameters."""
        low, high = np.full(form.size, -AMPLITUDE_BOUND), np.full(form.size, AMPLITUDE_BOUND)
        low[form.corners], high[form.corners] = self.span
        if form.power_law:
            low[1], high[1] = self.gamma
        return low, high


@dataclass(frozen=True, eq=False)
class Solution:
    """Parameters of a form and their cost; slopes : of the signed roots at them."""

    form: Form
    theta: Float[ndarray, " parameter"]
    cost: float
    slopes: Float[ndarray, "cell parameter"]


def _deviance_roots(excess, averages):
    """sign * sqrt(2 K (u - 1 - ln u)), u = exp(excess)."""
    bounded = np.minimum(excess, 600.0)
    unit = np.expm1(bounded) - bounded
    near = np.abs(excess) < 1e-4
    unit = np.where(near, excess**2 / 2 * (1 + excess / 3), np.maximum(unit, 0.0))
    return np.sign(excess) * np.sqrt(2 * averages * unit)


def deviance(log_ratio: Float[ndarray, " cell"], averages: Float[ndarray, " cell"]) -> float:
    """D = 2 sum K (u - 1 - ln u) of ln u = ln x - ln S."""
    return float((_deviance_roots(log_ratio, averages) ** 2).sum())


def solved(problem: Problem, form: Form, start: ndarray, held: ndarray | None = None, at: float = 0.0) -> Solution:
    """The nearest minimum of the cost.

    Parameters
    ----------
    held, at : a combination of parameters held at a value, held @ theta = at; None where all are free
    """
    low, high = problem.bounds(form)
    cells = problem.cells
    map_, base, free = _free_directions(held, at, form.size)
    cache: dict[bytes, tuple[ndarray, ndarray]] = {}

    def both(values):
        key = values.tobytes()
        if key not in cache:
            cache.clear()
            log_psd, slopes = log_psd_and_slopes(form, base + map_ @ values, cells.log_freqs, cells.floor)
            value, slope = problem.roots(log_psd)
            cache[key] = value, slope[:, None] * slopes
        return cache[key]

    inside = np.clip(start, low + 1e-9, high - 1e-9)[free]
    if len(free):
        inside = _minimum(
            lambda values: both(values)[0], lambda values: both(values)[1] @ map_, inside, low[free], high[free]
        )
    value, slopes = both(inside)
    return Solution(form, base + map_ @ inside, float(value @ value), slopes)


def _minimum(values, slopes, start, low, high):
    """Parameters of the nearest minimum: MINPACK's; where it leaves the bounds, a search that keeps to them."""
    close = {"ftol": TOLERANCE, "xtol": TOLERANCE, "gtol": TOLERANCE, "max_nfev": 60}
    if len(values(start)) >= len(start):
        theta = least_squares(values, start, slopes, method="lm", **close).x
        if np.isfinite(theta).all() and (theta >= low).all() and (theta <= high).all():
            return theta
    return least_squares(values, start, slopes, (low, high), method="trf", **close).x


def _free_directions(held, at, size):
    """theta = base + map @ free parameters; the parameter that is solved for has the largest weight in `held`."""
    if held is None:
        return np.eye(size), np.zeros(size), np.arange(size)
    pivot = int(np.flatnonzero(held)[0])
    free = np.delete(np.arange(size), pivot)
    map_ = np.zeros((size, size - 1))
    map_[free, np.arange(size - 1)] = 1.0
    map_[pivot] = -held[free] / held[pivot]
    base = np.zeros(size)
    base[pivot] = at / held[pivot]
    return map_, base, free


def nonnegative(matrix: Float[ndarray, "row column"], values: Float[ndarray, " row"]) -> tuple[ndarray, float]:
    """Non-negative least squares: amplitudes and the sum of squares; bounded least squares where nnls does not end."""
    try:
        amplitudes, norm = nnls(matrix, values)
        return amplitudes, norm**2
    except RuntimeError:
        result = lsq_linear(matrix, values, (0.0, np.inf))
        return result.x, 2 * result.cost


def _linear(problem, form, theta, weights, log_level):
    """Best amplitudes at fixed exponents and corners, on the ratio to a level: theta and the weighted squares."""
    level = (problem.cells.median if problem.robust else problem.cells.mean) - problem.cells.floor
    shapes = log_shapes(form, theta, problem.cells.log_freqs)
    heights = (shapes - log_level).max(axis=1, keepdims=True)
    matrix = (weights * np.exp(shapes - log_level - heights)).T
    amplitudes, squares = nonnegative(matrix, weights * level * np.exp(-log_level))
    filled = theta.copy()
    filled[form.amplitudes()] = np.log(np.maximum(amplitudes, SMALLEST)) - heights[:, 0]
    return filled, squares


def without_lorentzians(problem: Problem, form: Form) -> Solution:
    """The best fit of a form that has a power law or a floor alone."""
    level = np.log(problem.cells.median if problem.robust else problem.cells.mean)
    weights = np.sqrt(problem.cells.averages)
    solutions = []
    for gamma in GAMMA_STARTS if form.power_law else (1.0,):
        theta = np.zeros(form.size)
        if form.power_law:
            theta[1] = np.clip(gamma, *problem.gamma)
        solutions.append(solved(problem, form, _linear(problem, form, theta, weights, level)[0]))
    return min(solutions, key=lambda one: one.cost)


def one_more(problem: Problem, fewer: Solution) -> Solution:
    """The best fit with one Lorentzian more; its start is looked for over the axis."""
    form = replace(fewer.form, n_lorentzians=fewer.form.n_lorentzians + 1)
    log_level, _ = log_psd_and_slopes(fewer.form, fewer.theta, problem.cells.log_freqs, problem.cells.floor)
    weights = np.sqrt(problem.cells.averages)
    if problem.robust:  # those of Student's t at the fit with fewer, above it: (nu + 1) / (nu + z^2)
        weights = weights * np.exp(-(np.maximum(problem.roots(log_level)[0], 0.0) ** 2) / (2 * (STUDENT + 1)))
    starts, squares = [], []
    for corner in np.linspace(*problem.span, N_STARTS):
        theta = _inserted(fewer, form, corner)
        theta, cost = _linear(problem, form, theta, weights, log_level)
        starts.append(theta)
        squares.append(cost)
    bent = np.array([np.inf, *squares, np.inf])
    minima = np.flatnonzero((bent[1:-1] <= bent[:-2]) & (bent[1:-1] <= bent[2:]))
    best = minima[np.argsort(np.array(squares)[minima], kind="stable")][:N_MINIMA]
    return min((solved(problem, form, starts[place]) for place in best), key=lambda one: one.cost)


def _inserted(fewer, form, corner):
    """Parameters of the form with fewer, and one Lorentzian at the end of its Lorentzians."""
    place = fewer.form.size - fewer.form.white
    return np.concatenate([fewer.theta[:place], [0.0, corner], fewer.theta[place:]])


def without(solution: Solution, power_law: bool = False, white: bool = False) -> tuple[Form, ndarray]:
    """Form and start without the power law or without the floor."""
    form, theta = solution.form, solution.theta
    if power_law:
        form, theta = replace(form, power_law=False), theta[2:]
    if white:
        form, theta = replace(form, white=False), theta[:-1]
    return form, theta
