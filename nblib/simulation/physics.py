"""Noise-free spectra and what can be known from them: the physics and the Cramer-Rao bound.

Equation numbers are those of docs/method.md.
"""

import functools

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.project.refusal import refuse_if

BOLTZMANN = 8.6e-5  # eV/K, as in the starting study
TEMPERATURE = 300.0  # K
THERMAL_VELOCITY = 1e7  # cm/s
CROSS_SECTION_ALPHA = 1e-23  # cm^2
CROSS_SECTION_BETA = 830 * CROSS_SECTION_ALPHA  # cm^2
TRAP_DENSITY = 4e11**1.5  # 1/cm^3
AMPLITUDE_ALPHA, AMPLITUDE_BETA, FLOOR = 4e-23, 3e-26, 4e-27  # A^2/Hz
PUBLISHED_FREQS = np.arange(1.0, 3001.0)  # Hz
PUBLISHED_FREQS.setflags(write=False)
E_ALPHA_GRID = np.linspace(0.1, 20.0, 200)  # meV
E_BETA_GRID = np.linspace(12.5, 32.5, 200)  # meV
LN_MEAN = -3.001 - np.log(2.5e24)  # documented mean of ln S
LN_STD = 0.728  # documented standard deviation of ln S


def corner_frequency(energy: Float[ndarray, "*n"], cross_section: float) -> Float[ndarray, "*n"]:
    """Corner of a trap's Lorentzian, eq. 2: f_i = s_i exp(-E_i / (kB T)) N_T v / (2 pi).

    Parameters
    ----------
    energy : activation energy, meV
    cross_section : capture cross-section, cm^2

    Returns
    -------
    Hz

    References
    ----------
    starting study, recovered generator
    """
    boltzmann_factor = np.exp(-np.asarray(energy) * 1e-3 / (BOLTZMANN * TEMPERATURE))
    return cross_section * boltzmann_factor * TRAP_DENSITY * THERMAL_VELOCITY / (2 * np.pi)


def lorentzian(freqs: Float[ndarray, " bin"], amplitude, corner) -> Float[ndarray, "*n bin"]:
    """amplitude / (1 + (f / corner)^2); amplitude and corner broadcast over the leading axes."""
    ratio = freqs / np.asarray(corner)[..., None]
    return np.asarray(amplitude)[..., None] / (1 + ratio**2)


def published_components(e_alpha, e_beta, freqs=PUBLISHED_FREQS):
    """The two trap Lorentzians of eq. 1, apart: (alpha, beta), each (n, bin) in A^2/Hz."""
    alpha = lorentzian(freqs, AMPLITUDE_ALPHA, corner_frequency(e_alpha, CROSS_SECTION_ALPHA))
    beta = lorentzian(freqs, AMPLITUDE_BETA, corner_frequency(e_beta, CROSS_SECTION_BETA))
    return alpha, beta


@functools.cache
def published_tables() -> tuple[Float[ndarray, "200 3000"], Float[ndarray, "200 3000"]]:
    """The two Lorentzians for every energy of the preset's grid: a spectrum is one row of each, and the floor."""
    return published_components(E_ALPHA_GRID, E_BETA_GRID)


def published_psd(e_alpha, e_beta) -> Float[ndarray, "n 3000"]:
    """Noise-free PSD of the starting study, eq. 1: S = Aa/(1+(f/fa)^2) + Ab/(1+(f/fb)^2) + C.

    Parameters
    ----------
    e_alpha, e_beta : (n,) or scalar activation energies, meV; the study used 0.1..20 and 12.5..32.5

    Returns
    -------
    float64 A^2/Hz at 1, 2, ..., 3000 Hz

    Raises
    ------
    ValueError for shapes that differ or energies that are not finite

    References
    ----------
    starting study; one published sample fits to a relative 5e-8
    """
    e_alpha = np.atleast_1d(np.asarray(e_alpha, dtype=np.float64))
    e_beta = np.atleast_1d(np.asarray(e_beta, dtype=np.float64))
    refuse_if(
        e_alpha.ndim != 1 or e_alpha.shape != e_beta.shape,
        f"energies have shapes {e_alpha.shape} and {e_beta.shape}; give two arrays of one length",
    )
    refuse_if(
        not (np.isfinite(e_alpha).all() and np.isfinite(e_beta).all()),
        "energies contain NaN or infinity; give finite energies in meV",
    )
    alpha, beta = published_components(e_alpha, e_beta)
    return alpha + beta + FLOOR


def energy_slopes(
    e_alpha: Float[ndarray, " n"], e_beta: Float[ndarray, " n"]
) -> tuple[Float[ndarray, "n 3000"], Float[ndarray, "n 2 3000"]]:
    """Noise-free ln PSD (ln A^2/Hz) and its slopes d ln S/d Ea, d ln S/d Eb (1/meV). e_alpha, e_beta : (n,) meV."""
    parts = published_components(e_alpha, e_beta)
    psd = parts[0] + parts[1] + FLOOR
    thermal = BOLTZMANN * TEMPERATURE * 1e3  # meV; d ln f_c / dE = -1 / (kB T)
    slopes = []
    for part, energy, section in zip(parts, (e_alpha, e_beta), (CROSS_SECTION_ALPHA, CROSS_SECTION_BETA), strict=True):
        squared = (PUBLISHED_FREQS / corner_frequency(energy, section)[:, None]) ** 2
        slopes.append(-(part / psd) * 2 * squared / (1 + squared) / thermal)
    return np.log(psd), np.stack(slopes, axis=1)


def cramer_rao_energies(
    e_alpha: float | Float[ndarray, " n"],
    e_beta: float | Float[ndarray, " n"],
    n_segments: float = 8,
    keep: Bool[ndarray, "*n 3000"] | None = None,
    free_amplitudes: bool = False,
) -> Float[ndarray, "*m 2"]:
    """Smallest standard deviation any unbiased estimator of (Ea, Eb) can have, eq. 5.

    Parameters
    ----------
    e_alpha, e_beta : meV, one pair or n
    n_segments : K averaged segments
    keep : the bins used, (3000,) or a row a pair; None for all
    free_amplitudes : True when Aa, Ab and C are unknown as well

    Returns
    -------
    (sigma_Ea, sigma_Eb) in meV, from I_ij = K sum_k (d ln S/d theta_i)(d ln S/d theta_j)
    """
    shape = np.shape(e_alpha)
    e_alpha, e_beta = (np.reshape(np.asarray(energy, dtype=np.float64), -1) for energy in (e_alpha, e_beta))
    log_psd, jacobian = energy_slopes(e_alpha, e_beta)
    if free_amplitudes:
        parts = (*published_components(e_alpha, e_beta), np.full_like(log_psd, FLOOR))
        by_log_amplitude = np.stack([part / np.exp(log_psd) for part in parts], axis=1)
        jacobian = np.concatenate([jacobian, by_log_amplitude], axis=1)  # (n, parameter, bin)
    kept = jacobian if keep is None else jacobian * np.reshape(keep, (-1, 1, jacobian.shape[-1]))
    information = n_segments * kept @ jacobian.transpose(0, 2, 1)
    sigma = np.sqrt(np.diagonal(np.linalg.inv(information), axis1=1, axis2=2)[:, :2])
    return sigma.reshape(*shape, 2)
