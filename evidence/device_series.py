"""Simulated spectra of a device with traps, one at a time or over temperature, with the truth beside them.

S(f) = A f^-gamma + sum_i a_i / (1 + (f/f_i)^2) + C; external noise is added on the spectrum's own axis. Written before
the fit of nblib.workbench and independent of it. Every draw is keyed by its seed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.simulation.estimation import draw_intrinsic

BOLTZMANN = 8.617333262e-5  # eV/K
LINEAR = np.arange(1.0, 10_001.0)  # Hz, 1 Hz a bin
LOGARITHMIC = np.geomspace(1.0, 1e5, 501)  # Hz, 100 bins a decade
AXES = {"linear": LINEAR, "log": LOGARITHMIC}
CONTAMINATION = ("clean", "mains", "humps")  # humps : mains and humps
GAMMA = (0.8, 1.3)
LOWEST_CORNER, HIGHEST_SHARE = 5.0, 1 / 8  # Hz, and of the largest frequency
APART, RATIOS = 6.0, (0.5, 8.0)  # least ratio of two corners; half a plateau over all other components at its corner
HARD_APART, HARD_RATIOS = 3.0, (0.25, 0.25)
MAINS_DB = (20.0, 40.0)  # of the fundamental over the spectrum
N_HARMONICS = 40
RESOLUTION = 1.0  # Hz: a line's power is spread over a bin at least this wide
TEMPERATURES = np.linspace(80.0, 350.0, 10)  # K
ENERGY = 0.300  # eV


@dataclass(frozen=True, eq=False)
class Simulated:
    """One spectrum and its truth: corners [Hz] and plateaus, gamma, external power over S at each bin."""

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    n_segments: float
    background: Float[ndarray, " bin"]
    external: Float[ndarray, " bin"]
    corners: tuple[float, ...]
    plateaus: tuple[float, ...]
    gamma: float
    temperature: float | None = None


def draw_spectrum(
    seed: int,
    n_lorentzians: int,
    contamination: str = "clean",
    axis: str = "linear",
    n_segments: int = 30,
    estimator: str = "welch",
    hard: bool = False,
) -> Simulated:
    """One spectrum with corners at random frequencies.

    Parameters
    ----------
    contamination : one of CONTAMINATION
    axis : one of AXES
    estimator : of nblib.simulation.estimation: "welch" or "welch_hann"
    hard : corners a factor 3 apart at least instead of 6, half a plateau a quarter of the rest
    """
    rng, freqs = np.random.default_rng([27, seed]), AXES[axis]
    apart, ratios = (HARD_APART, HARD_RATIOS) if hard else (APART, RATIOS)
    gamma = rng.uniform(*GAMMA)
    highest = freqs[-1] * HIGHEST_SHARE
    floor = freqs[-1] ** -gamma * 10 ** rng.uniform(0.0, 1.5)
    while True:
        corners = np.sort(np.exp(rng.uniform(np.log(LOWEST_CORNER), np.log(highest), n_lorentzians)))
        if (np.diff(np.log(corners)) > np.log(apart)).all():
            break
    shares = np.exp(rng.uniform(np.log(ratios[0]), np.log(ratios[1]), n_lorentzians))
    plateaus = _plateaus(corners, shares, gamma, floor)
    level = 10 ** rng.uniform(-24, -8)
    return _measured(
        rng, freqs, (level, gamma, corners, level * plateaus, level * floor), contamination, n_segments, estimator
    )


def draw_series(
    seed: int,
    contamination: str = "clean",
    temperatures: Float[ndarray, " temperature"] = TEMPERATURES,
    energy: float = ENERGY,
    axis: str = "linear",
    n_segments: int = 30,
) -> list[Simulated]:
    """One device at several temperatures: a trap with tau = tau_0 T^-2 exp(E/kT), constant variance, 1/f and a floor.

    Parameters
    ----------
    energy : of the trap, eV; its corner at the highest temperature lies between an 80th and an 8th of the axis' end
    """
    rng, freqs = np.random.default_rng([28, seed]), AXES[axis]
    gamma, hottest = rng.uniform(0.9, 1.1), temperatures.max()
    top = freqs[-1] * np.exp(rng.uniform(np.log(1 / 80), np.log(1 / 8)))
    ratio = np.exp(rng.uniform(np.log(1.0), np.log(6.0)))
    level = 10 ** rng.uniform(-24, -8)
    floor = freqs[-1] ** -gamma * 3
    spectra = []
    for temperature in temperatures:
        steps = energy / BOLTZMANN * (1 / temperature - 1 / hottest)
        corner = top * (temperature / hottest) ** 2 * np.exp(-steps)
        plateau = 2 * ratio * corner**-gamma
        parts = (level, gamma, np.array([corner]), np.array([level * plateau]), level * floor)
        spectra.append(_measured(rng, freqs, parts, contamination, n_segments, "welch", float(temperature)))
    return spectra


def _plateaus(corners, shares, gamma, floor):
    """Plateaus whose halves are `shares` times everything else at their corners: a linear system."""
    if not len(corners):
        return np.zeros(0)
    others = 1 / (1 + (corners[:, None] / corners) ** 2)
    np.fill_diagonal(others, 0.0)
    rest = corners**-gamma + floor
    plateaus = np.zeros(len(corners))
    for _ in range(100):  # a few are enough; where neighbours feed each other it is stopped
        plateaus = 2 * shares * (rest + np.minimum(others @ plateaus, 10 * rest))
    return plateaus


def _measured(rng, freqs, parts, contamination, n_segments, estimator, temperature=None):
    level, gamma, corners, plateaus, floor = parts
    bumps = plateaus[:, None] / (1 + (freqs / corners[:, None]) ** 2)
    background = level * freqs**-gamma + bumps.sum(axis=0) + floor
    lines = _mains(rng, freqs, background) if contamination != "clean" else np.zeros(len(freqs))
    humps = _humps(rng, freqs) if contamination == "humps" else np.zeros(len(freqs))
    noise = draw_intrinsic(rng, freqs, estimator, n_segments).astype(np.float64)
    # a coherent line beside noise: noncentral chi-squared, to second order
    beat = 1 + np.sqrt(2 / (n_segments * np.maximum(lines, 1e-12))) * rng.standard_normal(len(freqs))
    psd = background * ((1 + humps) * noise + lines * np.maximum(beat, 0.0))
    truth = (tuple(map(float, corners)), tuple(map(float, plateaus)), float(gamma), temperature)
    return Simulated(freqs, psd, float(n_segments), background, lines + humps, *truth)


def _mains(rng, freqs, background):
    """50 Hz and its harmonics over the background; odd ones are stronger, and all fall with their number."""
    first = 50.0 * (1 + rng.normal(0, 2e-4))
    strength = 10 ** (rng.uniform(*MAINS_DB) / 10) * np.interp(50.0, freqs, background)
    width = np.maximum(np.gradient(freqs), RESOLUTION)
    power = np.zeros(len(freqs))
    for harmonic in range(1, N_HARMONICS + 1):
        fall = harmonic ** -rng.uniform(0.8, 1.6) * (1.0 if harmonic % 2 else 0.2) * 10 ** rng.normal(0, 0.3)
        at, spread = harmonic * first, np.hypot(0.6 * width, 0.01 * harmonic)
        near = np.abs(freqs - at) < 6 * spread
        power[near] += (
            strength * fall * RESOLUTION / width[near] * np.exp(-0.5 * ((freqs[near] - at) / spread[near]) ** 2)
        )
    return power / background


def _humps(rng, freqs):
    """One or two broad humps, 0.5 to 3 times the background at their tops."""
    total = np.zeros(len(freqs))
    for _ in range(rng.integers(1, 3)):
        centre = rng.uniform(np.log(20.0), np.log(freqs[-1] / 3))
        total += rng.uniform(0.5, 3.0) * np.exp(-0.5 * ((np.log(freqs) - centre) / rng.uniform(0.03, 0.2)) ** 2)
    return total
