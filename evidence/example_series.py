"""Ten temperatures of one simulated device as an instrument would write them, with their truth: data/example_series/.

`python -m evidence.example_series` writes the files anew.
"""

from pathlib import Path

import numpy as np

from evidence.device_series import BOLTZMANN
from nblib.project.paths import ROOT

SEED = 27
ENERGY = 0.300  # eV
TEMPERATURES = np.arange(250.0, 341.0, 10.0)  # K
FREQS = np.arange(1.0, 3001.0)  # Hz
HOTTEST_CORNER = 360.0  # Hz, at the highest temperature
N_AVERAGES = 30
FLICKER, FLOOR = 2e-17, 4e-21  # A^2 and A^2/Hz: 1/f and white
VARIANCE = 8e-17  # A^2, of the trap's current: its plateau is 2 / (pi f_c) times it
MAINS, MAINS_RATIOS = 50.02, {1: 2000.0, 2: 60.0, 3: 700.0, 5: 300.0, 7: 120.0, 9: 60.0, 11: 30.0, 13: 20.0}
CLOCK, CLOCK_RATIOS = 128.6, {1: 50.0, 2: 20.0, 3: 30.0, 4: 8.0, 5: 15.0, 7: 6.0}  # Hz; power over the background
HUMP_CENTRE, HUMP_SIGMA, HUMP_RATIO = 690.0, 60.0, 1.5  # Hz, Hz, power over the background
LINE_SIGMA = 0.8  # bins
TRUTH = "example_series.truth.csv"
HEADER = """\
Instrument,simulated FFT analyzer
Sample,simulated one-trap device (no measurement)
Temperature (K),{kelvin:g}
Averages,{averages}
Frequency (Hz),PSD (A^2/Hz)
"""


def corner_of(kelvin: float) -> float:
    """Corner frequency of the trap, Hz: 1/tau = constant T^2 exp(-E/kT)."""
    hottest = float(TEMPERATURES[-1])
    steps = ENERGY / BOLTZMANN * (1 / kelvin - 1 / hottest)
    return HOTTEST_CORNER * (kelvin / hottest) ** 2 * float(np.exp(-steps))


def series(seed: int = SEED) -> list[tuple[float, np.ndarray]]:
    """Temperature (K) and PSD (A^2/Hz) at FREQS: one trap, 1/f and a floor under mains, a clock and a hump."""
    rng, spectra = np.random.default_rng(seed), []
    hump = HUMP_RATIO * np.exp(-0.5 * ((FREQS - HUMP_CENTRE) / HUMP_SIGMA) ** 2)
    for kelvin in TEMPERATURES:
        corner = corner_of(float(kelvin))
        trap = 2 * VARIANCE / (np.pi * corner) / (1 + (FREQS / corner) ** 2)
        background = FLICKER / FREQS + trap + FLOOR
        mains = MAINS * (1 + rng.normal(0, 2e-4))  # the grid's frequency of that hour
        combs = ((mains, MAINS_RATIOS), (CLOCK, CLOCK_RATIOS))
        lines = np.sum([_line(n * unit, ratio) for unit, ratios in combs for n, ratio in ratios.items()], axis=0)
        scale = background * (1 + hump) / (2 * N_AVERAGES)
        spectra.append(
            (float(kelvin), scale * rng.noncentral_chisquare(2 * N_AVERAGES, 2 * N_AVERAGES * lines / (1 + hump)))
        )
    return spectra


def _line(centre: float, ratio: float) -> np.ndarray:
    return ratio * np.exp(-0.5 * ((FREQS - centre) / LINE_SIGMA) ** 2)


def write_series(folder: Path) -> list[Path]:
    """Write a file per temperature into example_series/ of a folder, and the truth beside it; raises OSError."""
    own = folder / "example_series"
    own.mkdir(parents=True, exist_ok=True)
    written = [folder / TRUTH]
    rows = "".join(f"{kelvin:g},{corner_of(kelvin):.4f}\n" for kelvin in map(float, TEMPERATURES))
    written[0].write_text(f"temperature [K],corner [Hz]\n# energy {ENERGY:g} eV with T^2\n{rows}", newline="\n")
    for kelvin, psd in series():
        written.append(own / f"device_{kelvin:.0f}K.csv")
        body = "".join(f"{freq:g},{value:.4E}\n" for freq, value in zip(FREQS, psd, strict=True))
        header = HEADER.format(kelvin=kelvin, averages=N_AVERAGES)
        written[-1].write_text(header + body, encoding="utf-8", newline="\n")
    return written


if __name__ == "__main__":
    print(*write_series(ROOT / "data"), sep="\n")
