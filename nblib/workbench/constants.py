"""Constants of the Arrhenius line; docs/fit.md has the sources."""

import numpy as np
from scipy.constants import Boltzmann, Planck, electron_mass, physical_constants

BOLTZMANN = physical_constants["Boltzmann constant in eV/K"][0]  # eV/K
# gamma_n = v N / T^2 of a band of effective mass m: v = sqrt(3kT/m), N = 2 (2 pi m k T / h^2)^1.5; per m/m_e
GAMMA_PER_MASS = float(
    np.sqrt(3 * Boltzmann / electron_mass) * 2 * (2 * np.pi * electron_mass * Boltzmann / Planck**2) ** 1.5 * 1e-4
)  # cm^-2 s^-1 K^-2
