"""Corner frequencies over temperature: which belong to one trap, and the energy of each trap.

1/tau = sigma gamma_n T^m exp(-E/kT) with tau = 1 / (2 pi f), so ln(tau T^m) = E/kT - ln(sigma gamma_n): a straight line
over 1/kT, whose slope is E. docs/fit.md has the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike
from scipy.stats import t as student

from nblib.workbench.constants import BOLTZMANN
from nblib.workbench.result import SIDES, Fit
from nblib.workbench.stored_fits import StoredFit

POWERS = (0.0, 1.5, 2.0)  # of T, for which the energy is given in any case
LEAST = 3  # temperatures
ENERGIES = (-0.2, 3.0)  # eV, of lines that corners are linked by; mains at a fixed frequency give negative ones
NEAR = 0.2  # ln units: a corner this close to a line may belong to it
NEAR_ERRORS = 3.0  # standard errors, where that is more
EXPECTED = 0.6  # share of the temperatures at which the line lies within the axis that must have a corner on it
MARGIN = 2.0  # times: corners this close to an end of the axis are limits and are not linked
MOST_TRAPS = 6
UNKNOWN_ERROR = 0.5  # of ln(corner): what a corner of all bins counts as that its own interval does not place
TRAP_COLUMNS = (
    *("bins", "trap", "energy [eV]", "low [eV]", "high [eV]", "error [eV]", "temperatures", "from [K]", "to [K]"),
    *("chi2/dof", "ln(tau_0)", "cross-section [cm^2]", "cross-section low", "cross-section high"),
    *(f"energy at T^{power:g} [eV]" for power in POWERS),
)
POINT_COLUMNS = (
    *("bins", "trap", "temperature [K]", "corner [Hz]", "low [Hz]", "high [Hz]", "ln(tau T^m)"),
    *("plateau", "plateau low", "plateau high"),
)


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


@dataclass(frozen=True, eq=False)
class Arrhenius:
    """Traps of a device, from the bins kept and from all bins.

    Attributes
    ----------
    kept : from spectra whose bins kept are described by their model
    all_bins : from all bins of every spectrum, described or not: for comparison
    t_power : m
    temperatures : K, of each spectrum
    described : of each spectrum, is the model good enough for its corners to be used
    level : of the intervals
    """

    kept: tuple[Trap, ...]
    all_bins: tuple[Trap, ...]
    loose: tuple[tuple[Point, ...], tuple[Point, ...]]
    t_power: float
    temperatures: tuple[float, ...]
    described: tuple[bool, ...]
    level: float
    unit: str | None

    def to_frame(self):
        """A pandas table, a row a trap, its columns TRAP_COLUMNS."""
        import pandas as pd

        rows = []
        for side, traps in zip(SIDES, (self.kept, self.all_bins), strict=True):
            for number, trap in enumerate(traps, start=1):
                temperatures = [point.temperature for point in trap.points]
                line = (trap.energy, trap.low, trap.high, trap.error, len(set(temperatures)))
                ends = (min(temperatures), max(temperatures), trap.dispersion, trap.log_prefactor)
                sigma = trap.cross_section or (np.nan,) * 3
                rows.append((side, number, *line, *ends, *sigma, *(trap.energies[power] for power in POWERS)))
        return pd.DataFrame(rows, columns=list(TRAP_COLUMNS))

    def points_frame(self):
        """A pandas table of every corner, its columns POINT_COLUMNS; trap 0: linked to none."""
        import pandas as pd

        rows = []
        for side, traps, loose in zip(SIDES, (self.kept, self.all_bins), self.loose, strict=True):
            for number, points in [*enumerate((trap.points for trap in traps), start=1), (0, loose)]:
                for point in points:
                    place = (point.temperature, point.corner, point.low, point.high)
                    rows.append((side, number, *place, point.log_tau(self.t_power), *point.plateau))
        return pd.DataFrame(rows, columns=list(POINT_COLUMNS))

    def plot(self, axes=None):
        """ln(tau T^m) over 1/kT and the plateaus over T; axes : two of matplotlib, or a new figure's."""
        from nblib.workbench.figure import plot_arrhenius

        return plot_arrhenius(self, axes)


def arrhenius(
    fits: Sequence[Fit | StoredFit],
    temperatures: ArrayLike,
    t_power: float = 2.0,
    gamma_n: float | None = None,
) -> Arrhenius:
    """Link corners over temperature and fit a line to each trap.

    Parameters
    ----------
    fits : of one device, one per spectrum; a StoredFit is what `nblib fit` wrote of one
    temperatures : K, one per spectrum, at least three different ones
    t_power : m of T^m in the prefactor: 2 for a band in three dimensions, 1.5 in two, 0 for a two-level system
    gamma_n : cm^-2 s^-1 K^-2, for the cross-section; goes with t_power=2

    Returns
    -------
    Arrhenius. An interval is Student's t quantile for n - 2 degrees of freedom times sqrt(chi^2 / dof) times the error
    that the n corners' own errors give, and never less than that error. Where the model does not describe the bins
    kept, the corners of a spectrum are left out

    Raises
    ------
    ValueError for other numbers of temperatures than of fits, fewer than three, or a temperature that is none
    """
    kelvin = np.asarray(temperatures, np.float64)
    if kelvin.shape != (len(fits),):
        raise ValueError(f"{kelvin.size} temperatures for {len(fits)} fits; give one each")
    if not (np.isfinite(kelvin) & (kelvin > 0)).all():
        raise ValueError(f"temperatures={list(kelvin)} must be positive, in K")
    if len(np.unique(kelvin)) < LEAST:
        raise ValueError(
            f"{len(np.unique(kelvin))} different temperatures; an energy needs at least {LEAST}: one line fits any two"
        )
    check_prefactor(t_power, gamma_n)
    described = tuple(fit.described for fit in fits)
    spans = [fit.span for fit in fits]
    sides, loose = [], []
    for side in ("kept", "all_bins"):
        points = []
        for place, (fit, temperature) in enumerate(zip(fits, kelvin, strict=True)):
            if side == "all_bins" or fit.described:
                points += _points(getattr(fit, side), place, float(temperature), side == "all_bins")
        traps, rest = _linked(points, spans, kelvin, t_power, gamma_n, fits[0].level)
        sides.append(traps)
        loose.append(rest)
    return Arrhenius(
        sides[0],
        sides[1],
        (loose[0], loose[1]),
        float(t_power),
        tuple(map(float, kelvin)),
        described,
        fits[0].level,
        fits[0].unit,
    )


def check_prefactor(t_power: float, gamma_n: float | None) -> None:
    """Raise ValueError for a power of T that is none, and for a gamma_n that is none or goes with another power."""
    if not (np.isfinite(t_power) and -4 <= t_power <= 4):
        raise ValueError(f"t_power={t_power:g} must be a number from -4 to 4, such as 2, 1.5 or 0")
    if gamma_n is not None and (t_power != 2 or not 0 < gamma_n < np.inf):
        raise ValueError(f"gamma_n={gamma_n:g} must be positive, in cm^-2 s^-1 K^-2, and goes with t_power=2")


def _points(description, place, temperature, comparing) -> list[Point]:
    """Corners of one spectrum that are more than limits, and have an interval; comparing : without one as well."""
    points = []
    for term in description.corners:
        error = UNKNOWN_ERROR if comparing and not np.isfinite(term.error) else term.error
        if np.isfinite(error) and error > 0 and not term.note.startswith("limit"):
            beside = description.plateau(term)
            plateau = (beside.value, beside.low, beside.high)
            points.append(Point(place, temperature, term.value, term.low, term.high, error, plateau))
    return points


def _linked(points, spans, kelvin, t_power, gamma_n, level):
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
    """One corner a spectrum near the line; the line is fitted to them once more, and they are chosen again."""
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
