"""A simulated device spectrum as an instrument would write it, with its true answer: data/example_device.csv."""

from pathlib import Path

import numpy as np

from nblib import analyse
from nblib.project.paths import ROOT
from nblib.simulation.noise import NOISY_RATIO
from nblib.simulation.physics import (
    CROSS_SECTION_BETA,
    PUBLISHED_FREQS,
    THERMAL_VELOCITY,
    TRAP_DENSITY,
    published_psd,
)
from nblib.workbench.one_temperature import ConditionalEnergy, conditional_energies

SEED = 20
ENERGIES = (9.0, 21.0)  # meV, of the two traps
TEMPERATURE = 300.0  # K, of the study
N_AVERAGES = 64
MAINS = 49.98  # Hz, a grid a little below its nominal frequency
MAINS_RATIOS = {1: 40.0, 3: 12.0, 5: 6.0, 7: 3.0, 9: 2.5}  # harmonic: power over background in the line's bin
CLOCK, CLOCK_RATIOS = 312.4, {1: 5.0, 2: 3.0, 3: 4.0, 5: 2.5}
HUMP_CENTRE, HUMP_SIGMA, HUMP_RATIO = 1985.0, 95.0, 1.8  # Hz, Hz, power over background
LINE_SIGMA = 0.8  # bins; what a Hann window makes of a sinusoid, nearly
HEADER = """\
Instrument,simulated FFT analyzer
Sample,simulated two-trap device (no measurement)
Channel,CH1 drain current
Window,Hann
Averages,{averages}
Start frequency (Hz),{low:g}
Stop frequency (Hz),{high:g}
Resolution (Hz),1
Frequency (Hz),PSD (A^2/Hz)
"""


def example_spectrum(seed: int = SEED) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float, str]]]:
    """The spectrum and its truth.

    Returns
    -------
    freqs : 1..3000 Hz
    psd : A^2/Hz: two trap Lorentzians and a floor, mains, a clock and a switching hump, each times the scatter of 64
        averages (lines are coherent, so their power scatters less: noncentral chi-squared)
    truth : (fmin, fmax, cause) of the ranges where external power exceeds a quarter of the background
    """
    rng = np.random.default_rng(seed)
    freqs = PUBLISHED_FREQS
    background = published_psd(*ENERGIES)[0]
    hump = HUMP_RATIO * np.exp(-0.5 * ((freqs - HUMP_CENTRE) / HUMP_SIGMA) ** 2)
    parts = {f"{MAINS:g} Hz mains, harmonic {n}": _line(freqs, n * MAINS, ratio) for n, ratio in MAINS_RATIOS.items()}
    parts |= {f"clock, {CLOCK:g} Hz, harmonic {n}": _line(freqs, n * CLOCK, ratio) for n, ratio in CLOCK_RATIOS.items()}
    coherent = np.sum(list(parts.values()), axis=0)
    scale = background * (1 + hump) / (2 * N_AVERAGES)
    psd = scale * rng.noncentral_chisquare(2 * N_AVERAGES, 2 * N_AVERAGES * coherent / (1 + hump))
    truth = [(*_range(freqs, ratio), cause) for cause, ratio in (parts | {"switching supply, hump": hump}).items()]
    return freqs, psd, sorted(truth)


def write_example(folder: Path) -> tuple[Path, Path]:
    """Write example_device.csv, with a header block like an analyzer's, and example_device.truth.csv into a folder."""
    freqs, psd, truth = example_spectrum()
    spectrum, answer = folder / "example_device.csv", folder / "example_device.truth.csv"
    rows = "".join(f"{freq:g},{value:.5E}\n" for freq, value in zip(freqs, psd, strict=True))
    header = HEADER.format(averages=N_AVERAGES, low=freqs[0], high=freqs[-1])
    spectrum.write_text(header + rows, encoding="utf-8", newline="\n")
    lines = "".join(f'{low:g},{high:g},"{cause}"\n' for low, high, cause in truth)
    answer.write_text("fmin,fmax,cause\n" + lines, encoding="utf-8", newline="\n")
    return spectrum, answer


def upper_energy() -> ConditionalEnergy:
    """The upper energy, eV, as the bins that are kept of the tracked file give it with the study's own prefactor."""
    ((_, detection),) = analyse(ROOT / "data" / "example_device.csv")
    prefactor = CROSS_SECTION_BETA * TRAP_DENSITY * THERMAL_VELOCITY
    return conditional_energies(detection.fit(), TEMPERATURE, [prefactor])[-1]


def _line(freqs: np.ndarray, centre: float, ratio: float) -> np.ndarray:
    return ratio * np.exp(-0.5 * ((freqs - centre) / LINE_SIGMA) ** 2)


def _range(freqs: np.ndarray, ratio: np.ndarray) -> tuple[float, float]:
    """First and last frequency where external power exceeds a quarter of the background, Hz."""
    noisy = freqs[ratio > NOISY_RATIO]
    return float(noisy[0]), float(noisy[-1])
