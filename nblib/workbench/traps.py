"""Which corner frequencies over temperature belong to one trap, and the line through them.

nblib/workbench/arrhenius.py has the equation of the line; docs/fit.md has the sources.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.stats import t as student

from nblib.workbench.constants import BOLTZMANN

POWERS = (0.0, 1.5, 2.0)  # of T, for which the energy is given in any case
LEAST = 3  # temperatures
ENERGIES = (-0.2, 3.0)  # eV, of lines that corners are linked by; mains at a fixed frequency give negative ones
NEAR = 0.2  # ln units: a corner this close to a line may belong to it
NEAR_ERRORS = 3.0  # standard errors, where that is more
EXPECTED = 0.6  # share of the temperatures at which the line lies within the axis that must have a corner on it
MARGIN = 2.0  # times: corners this close to an end of the axis are limits and are not linked
MOST_TRAPS = 6
UNKNOWN_ERROR = 0.5  # of ln(corner): what a corner of all bins counts as that its own interval does not place


@dataclass(frozen=True)
class Point:
    """A corner of one spectrum.

    Attributes
    ----------
    spectrum : its position in the series
    temperature : K
    corner, low, high : Hz, with its interval; error : standard error of its ln
    plateau : of its Lorentzian with its interval, unit^2/Hz
    """

    spectrum: int
    temperature: float
    corner: float
    low: float
    high: float
    error: float
    plateau: tuple[float, float, float]

    def log_tau(self, t_power: float) -> float:
        """ln(tau T^m), tau in s and T in K."""
        return float(-np.log(2 * np.pi * self.corner) + t_power * np.log(self.temperature))


@dataclass(frozen=True, eq=False)
class Trap:
    """A line through corners of at least three temperatures.

    Attributes
    ----------
    energy, low, high, error : eV, slope of ln(tau T^m) over 1/kT, its interval, and half of that over its quantile
    log_prefactor : intercept, ln(tau_0) = -ln(sigma gamma_n)
    cross_section : sigma in cm^2 with its interval; None where gamma_n is not given or m is not 2
    dispersion : chi^2 / dof of the line; the errors are multiplied by its root
    energies : by the power m of T
    points : the corners, by temperature
    """

    energy: float
    low: float
    high: float
    error: float
    log_prefactor: float
    cross_section: tuple[float, float, float] | None
    dispersion: float
    energies: dict[float, float]
    points: tuple[Point, ...]


def points_of(description, place, temperature, comparing) -> list[Point]:
    """Corners of one spectrum that are more than limits, and have an interval; comparing : without one as well."""
    points = []
    for term in description.corners:
        error = UNKNOWN_ERROR if comparing and not np.isfinite(term.error) else term.error
        if np.isfinite(error) and error > 0 and not term.note.startswith("limit"):
            beside = description.plateau(term)
            plateau = (beside.value, beside.low, beside.high)
            points.append(Point(place, temperature, term.value, term.low, term.high, error, plateau))
    return points


def linked(points, spans, kelvin, t_power, gamma_n, level):
    """Traps, the best supported first, and the points that belong to none."""
    traps, left = [], list(points)
    while len(traps) < MOST_TRAPS:
        members = _best_line(left, spans, kelvin, t_power)
        if members is None:
            break
        traps.append(_trap(members, t_power, gamma_n, level))
        left = [point for point in left if point not in members]
    return tuple(traps), tuple(left)


def _best_line(points, spans, kelvin, t_power) -> list[Point] | None:
    """The corners on the line that most temperatures support; None where no line has enough."""
    if not points:
        return None
    x = np.array([1 / (BOLTZMANN * point.temperature) for point in points])
    y = np.array([point.log_tau(t_power) for point in points])
    errors = np.array([point.error for point in points])
    first, second = np.triu_indices(len(points), 1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    if not len(first):
        return None
    slope = (y[second] - y[first]) / (x[second] - x[first])
    inside = (slope >= ENERGIES[0]) & (slope <= ENERGIES[1])
    slope, base = slope[inside], (y[first] - slope * x[first])[inside]
    away = np.abs(y - (base[:, None] + slope[:, None] * x))  # (line, point)
    near = away <= np.maximum(NEAR, NEAR_ERRORS * errors)
    support = np.array([len({points[place].temperature for place in np.flatnonzero(row)}) for row in near])
    cost = np.where(near, (away / np.hypot(errors, 0.1)) ** 2, 0.0).sum(axis=1)
    for line in np.lexsort((cost, -support)):
        if support[line] < LEAST:
            return None
        if support[line] >= EXPECTED * _expected(slope[line], base[line], spans, kelvin, t_power):
            return _members(points, away[line], near[line], x, y, errors)
    return None


def _expected(slope, base, spans, kelvin, t_power) -> int:
    """Number of temperatures at which a line's corner lies well within the axis."""
    log_tau = base + slope / (BOLTZMANN * kelvin) - t_power * np.log(kelvin)
    corners = np.exp(-log_tau) / (2 * np.pi)
    low, high = np.array(spans).T
    return len(set(kelvin[(corners > MARGIN * low) & (corners < high / MARGIN)]))


def _members(points, away, near, x, y, errors) -> list[Point]:
    """One corner per spectrum near the line; the line is fitted to them once more, and they are chosen again."""
    chosen = _nearest_of_each(points, away, near)
    if len({points[place].temperature for place in chosen}) < LEAST:
        return [points[place] for place in chosen]
    slope, base, _, _ = _line(x[chosen], y[chosen], np.hypot(errors[chosen], 0.05))
    away = np.abs(y - (base + slope * x))
    again = _nearest_of_each(points, away, away <= np.maximum(NEAR, NEAR_ERRORS * errors))
    if len({points[place].temperature for place in again}) >= LEAST:
        chosen = again
    return [points[place] for place in chosen]


def _nearest_of_each(points, away, near) -> list[int]:
    """Of each spectrum the corner nearest to the line, if it is near."""
    best: dict[int, int] = {}
    for place in np.flatnonzero(near):
        own = points[place].spectrum
        if own not in best or away[place] < away[best[own]]:
            best[own] = int(place)
    return [best[own] for own in sorted(best)]


def _line(x, y, errors) -> tuple[float, float, ndarray, float]:
    """Weighted least squares: slope, intercept, their covariance at the errors given, and chi^2 / dof."""
    matrix = np.column_stack([x, np.ones_like(x)]) / errors[:, None]
    theta, *_ = np.linalg.lstsq(matrix, y / errors, rcond=None)
    rest = y / errors - matrix @ theta
    return float(theta[0]), float(theta[1]), np.linalg.inv(matrix.T @ matrix), float(rest @ rest / max(len(x) - 2, 1))


def _trap(members, t_power, gamma_n, level) -> Trap:
    members = sorted(members, key=lambda point: point.temperature)
    x = np.array([1 / (BOLTZMANN * point.temperature) for point in members])
    errors = np.array([point.error for point in members])
    energies = {}
    for power in {*POWERS, float(t_power)}:
        y = np.array([point.log_tau(power) for point in members])
        energies[power] = _line(x, y, errors)[0]
    slope, base, covariance, dispersion = _line(x, np.array([point.log_tau(t_power) for point in members]), errors)
    quantile = float(student.ppf(0.5 + level / 2, len(members) - 2))
    # one standard error at the corners' own errors at least: a few corners may lie on a line by chance
    half, base_half = np.sqrt(np.diag(covariance)) * max(1.0, quantile * np.sqrt(dispersion))
    sigma = None
    if gamma_n is not None:
        value, factor = float(np.exp(-base) / gamma_n), float(np.exp(base_half))
        sigma = (value, value / factor, value * factor)
    return Trap(
        slope,
        float(slope - half),
        float(slope + half),
        float(half / quantile),
        base,
        sigma,
        dispersion,
        energies,
        tuple(members),
    )
