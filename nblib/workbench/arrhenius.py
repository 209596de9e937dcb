"""Activation energies of a device: traps linked from its corners over temperature, of the bins kept and of all.

1/tau = sigma gamma_n T^m exp(-E/kT) with tau = 1 / (2 pi f), so ln(tau T^m) = E/kT - ln(sigma gamma_n): a straight line
over 1/kT, whose slope is E. docs/fit.md has the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nblib.workbench.result import SIDES, Fit
from nblib.workbench.stored_fits import StoredFit
from nblib.workbench.traps import LEAST, POWERS, Point, Trap, linked, points_of

TRAP_COLUMNS = (
    *("bins", "trap", "energy [eV]", "low [eV]", "high [eV]", "error [eV]", "temperatures", "from [K]", "to [K]"),
    *("chi2/dof", "ln(tau_0)", "cross-section [cm^2]", "cross-section low", "cross-section high"),
    *(f"energy at T^{power:g} [eV]" for power in POWERS),
)
POINT_COLUMNS = (
    *("bins", "trap", "temperature [K]", "corner [Hz]", "low [Hz]", "high [Hz]", "ln(tau T^m)"),
    *("plateau", "plateau low", "plateau high"),
)


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
    ValueError for other numbers of temperatures than of fits, fewer than three, or a temperature that is not positive
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
                points += points_of(getattr(fit, side), place, float(temperature), side == "all_bins")
        traps, rest = linked(points, spans, kelvin, t_power, gamma_n, fits[0].level)
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
    """Raise ValueError for a power of T out of range, and for a gamma_n not positive or of another power."""
    if not (np.isfinite(t_power) and -4 <= t_power <= 4):
        raise ValueError(f"t_power={t_power:g} must be a number from -4 to 4, such as 2, 1.5 or 0")
    if gamma_n is not None and (t_power != 2 or not 0 < gamma_n < np.inf):
        raise ValueError(f"gamma_n={gamma_n:g} must be positive, in cm^-2 s^-1 K^-2, and goes with t_power=2")
