"""Energies from one spectrum with an assumed prefactor: the starting study's model, f = prefactor exp(-E/kT) / (2 pi).

One temperature does not measure an energy: a factor e in the prefactor moves it by kT, 25.9 meV at 300 K.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nblib.workbench.constants import BOLTZMANN
from nblib.workbench.result import Fit

CONDITION = "conditional on an assumed cross-section"


@dataclass(frozen=True)
class ConditionalEnergy:
    """Energy of a corner, eV, with the interval that the corner's own interval gives, open where that is.

    Attributes
    ----------
    prefactor : assumed, 1/s
    note : CONDITION, and that of the corner
    """

    corner: float
    prefactor: float
    energy: float
    low: float
    high: float
    note: str = CONDITION


def conditional_energies(fit: Fit, temperature: float, prefactor: Sequence[float]) -> tuple[ConditionalEnergy, ...]:
    """E = kT ln(prefactor / (2 pi f)) of each corner, lowest first.

    Parameters
    ----------
    temperature : K
    prefactor : assumed emission rate at infinite temperature, 1/s: one for all corners, or one a corner, lowest first

    Returns
    -------
    () where the model does not describe the spectrum

    Raises
    ------
    ValueError for a temperature or prefactor that is not positive, or another number of prefactors than of corners
    """
    rates = np.atleast_1d(np.asarray(prefactor, np.float64))
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature={temperature} must be positive, in K")
    if not (np.isfinite(rates) & (rates > 0)).all():
        raise ValueError(f"prefactor={prefactor} must be positive, in 1/s")
    if not fit.described:
        return ()
    if len(rates) not in (1, len(fit.corners)):
        raise ValueError(
            f"{len(rates)} prefactors for {len(fit.corners)} corners; give one, or one a corner, lowest first"
        )
    energies = []
    for term, rate in zip(fit.corners, np.broadcast_to(rates, len(fit.corners)), strict=True):
        # the energy falls as the corner rises
        with np.errstate(divide="ignore"):  # an end that the data do not set
            logs = np.log(rate / (2 * np.pi)) - np.log([term.value, term.low, term.high])
        energy, high, low = map(float, BOLTZMANN * temperature * logs)
        note = "; ".join(filter(None, [CONDITION, term.note]))
        energies.append(ConditionalEnergy(term.value, float(rate), energy, low, high, note))
    return tuple(energies)
