"""A second generator of spectra with unknown backgrounds: written apart from the `wide` world, never trained on.

Other functional forms for the same situation. Backgrounds are chains of broken power laws, circuits, fractional
relaxations and a random walk; disturbances are sech, Student, raised-cosine and trapezoid humps, wandering lines and
jittered combs. Hann spectra are real ones: a time series with the background's spectrum and sinusoids in it, through
scipy.signal.welch at its defaults, leakage included.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.signal import welch

from nblib.cells import NOISY_RATIO
from nblib.measured.line_free.world import WideSpectrum

PROFILES: dict[str, Callable] = {  # of a distance from the centre in widths
    "sech": lambda distance: np.cosh(np.clip(distance, -50, 50)) ** -2.0,
    "student": lambda distance: (1 + distance**2 / 3) ** -2,
    "cosine": lambda distance: np.where(np.abs(distance) < 2, 0.5 + 0.5 * np.cos(np.pi * distance / 2), 0),
    "trapezoid": lambda distance: np.clip(2 - np.abs(distance), 0, 1),
}
HUMPS = (*PROFILES, "wandering", "jittered comb")
LARGEST_SERIES = 6_000_000  # samples of a simulated time series


@dataclass(frozen=True)
class SecondWorld:
    """world[i] is a WideSpectrum drawn from (seed, i) alone.

    Attributes
    ----------
    seed : >= 0
    sizes : range of the number of bins, log-uniform
    none_share : share of spectra without external noise
    estimator : "welch", "welch_hann", or None for half each
    n_segments : K, or None for 4..400
    grid : "linear", "log" (linear bins averaged into bands of ln f) or None for both
    n_bins : bins of every spectrum instead of `sizes`
    """

    seed: int = 0
    sizes: tuple[int, int] = (300, 5000)
    none_share: float = 0.2
    estimator: str | None = None
    n_segments: int | None = None
    grid: str | None = None
    n_bins: int | None = None

    def __getitem__(self, index: int) -> WideSpectrum:
        rng = np.random.default_rng([20_26, self.seed, index])
        drawn = int(np.exp(rng.uniform(*np.log(self.sizes))))
        n_bins = drawn if self.n_bins is None else self.n_bins
        averages = int(4 * 100 ** rng.random()) if self.n_segments is None else self.n_segments
        tapered, logarithmic = rng.random() < 0.5, rng.random() < 0.35
        if self.estimator is not None:
            tapered = self.estimator == "welch_hann"
        if self.grid is not None:
            logarithmic = self.grid == "log"
        edges = _band_edges(n_bins) if logarithmic else np.arange(1, n_bins + 2)
        n_fine = int(edges[-1]) - 1
        bin_width = 10 ** rng.uniform(-2, 7 - np.log10(n_fine))
        log_background = draw_background(rng, n_fine)
        ratio, sines = np.zeros(n_fine), np.zeros((0, 2))
        if rng.random() >= self.none_share:
            ratio, sines = _disturbances(rng, n_fine)
        make = _through_welch if tapered and 2 * n_fine * (averages + 1) // 2 < LARGEST_SERIES else _ideal
        psd, ratio = make(rng, log_background, ratio, sines, averages)
        counts = np.diff(edges)
        starts, n_bins = edges[:-1] - 1, len(counts)
        background = np.add.reduceat(np.exp(log_background), starts) / counts
        external = np.add.reduceat(np.exp(log_background) * ratio, starts) / counts
        noisy = external / background > NOISY_RATIO
        return WideSpectrum(
            (np.add.reduceat(np.arange(1.0, n_fine + 1), starts) / counts) * bin_width,
            np.add.reduceat(psd, starts) / counts * 10 ** rng.uniform(-30, 5),
            np.log(background),
            external / background,
            noisy,
            np.ones(n_bins, dtype=bool),
            averages * counts.astype(np.float64),
            "welch_hann" if make is _through_welch else "welch",
            "merged" if logarithmic else "linear",
        )


def _band_edges(n_bands):
    """First linear bin of each of about n_bands bands (of none twice), a quarter of them single bins."""
    single = n_bands // 4
    growth = single * np.exp(np.arange(1, n_bands - single + 1) / single)
    growth = np.maximum.accumulate(np.rint(growth)).astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, single + 2), growth + 1]))


# ---- backgrounds ----


def draw_background(rng: np.random.Generator, n_bins: int) -> Float[ndarray, " bin"]:
    """ln of a background on bins 1..n, levels of order one."""
    u = np.arange(1.0, n_bins + 1) / n_bins
    kind = rng.integers(4)
    if kind == 0:  # a chain of broken power laws with smooth joints
        log_psd = -rng.uniform(0, 3) * np.log(u)
        for _ in range(rng.integers(1, 4)):
            joint, change = 10 ** rng.uniform(-3, 0), rng.uniform(-2.5, 2.5)
            log_psd = log_psd + change * np.log1p((u / joint) ** 3) / 3
    elif kind == 1:  # a transfer function: a damped circuit with losses, over a floor
        shape = np.zeros(n_bins)
        for _ in range(rng.integers(1, 3)):
            centre, quality = 10 ** rng.uniform(-1.5, 0.1), rng.uniform(0.3, 2.0)
            shape = shape + 10 ** rng.uniform(-1, 2) / np.abs(1 - (u / centre) ** 2 + 1j * u / (centre * quality)) ** 2
        log_psd = np.log(1 + shape)
    elif kind == 2:  # fractional relaxation (Cole-Cole) and 1/f
        relaxation = 10 ** rng.uniform(0, 3) / (1 + (u / 10 ** rng.uniform(-3, 0)) ** rng.uniform(0.8, 2))
        log_psd = np.log(1 + relaxation + 10 ** rng.uniform(-3, 0) / u)
    else:  # an integrated random walk over ln f: no formula at all
        walk = np.cumsum(rng.normal(0, rng.uniform(0.05, 0.35), 60))
        log_psd = np.interp(np.log(u), np.linspace(-np.log(n_bins), 0, 60), np.convolve(walk, np.ones(5) / 5, "same"))
    if rng.random() < 0.3:
        wall = (u / 10 ** rng.uniform(-3, -0.5)) ** -rng.uniform(2.5, 5)  # steeper ones would drown in Hann's leakage
        log_psd = log_psd + np.log1p(wall / (1 + wall * 1e-5))
    if rng.random() < 0.4:  # slow ripple of a cable or a stimulus
        log_psd = log_psd + rng.uniform(0.05, 0.4) * np.sin(
            2 * np.pi * (u * rng.uniform(1, n_bins / 150) + rng.random())
        )
    return log_psd - np.median(log_psd)


# ---- disturbances ----


def _disturbances(rng, n_bins):
    """Incoherent ratio (bin,) and sinusoids (line, 2): bin position and power over background."""
    ratio, sines = np.zeros(n_bins), []
    for _ in range(1 + rng.poisson(1.5)):
        if rng.random() < 0.45:
            first, height = rng.uniform(3, n_bins), 10 ** rng.uniform(-0.5, 4)
            order = np.arange(1, 1 + (1 if rng.random() < 0.5 else rng.integers(2, 40)))
            sines += [(first * k, height * k ** -rng.choice([0.0, 1.0])) for k in order if first * k < n_bins - 2]
        else:
            ratio += _hump(rng, str(rng.choice(HUMPS)), n_bins)
    if (ratio > NOISY_RATIO).mean() > 0.6:
        ratio *= 0.0
    return ratio, np.array(sines).reshape(-1, 2)


def _hump(rng, name, n_bins):
    width = 10 ** rng.uniform(0, np.log10(n_bins / 15))  # half of the full width, roughly
    height = 10 ** rng.uniform(-0.5, 3.0 if width < 4 else 1.0)
    distance = (np.arange(n_bins) - rng.uniform(0, n_bins)) / width
    if name in PROFILES:
        return height * PROFILES[name](distance)
    if name == "wandering":  # a line that walked during the record: the histogram of its positions
        walk = np.cumsum(rng.normal(0, width / 10, 500)) + rng.uniform(0, n_bins)
        sites = np.bincount(np.clip(walk, 0, n_bins - 1).astype(int), minlength=n_bins).astype(float)
        return height * sites / sites.max()
    spacing, ratio = rng.uniform(8, max(n_bins / 4, 9)), np.zeros(n_bins)
    sites = np.arange(rng.uniform(0, spacing), n_bins - 1, spacing)
    ratio[np.clip(np.rint(sites + rng.normal(0, 0.7, len(sites))), 0, n_bins - 1).astype(int)] = height
    return ratio


# ---- estimators ----


def _ideal(rng, log_background, ratio, sines, averages):
    """Averaged periodograms without taper or overlap, a sinusoid on its nearest bin: simulated segment by segment."""
    n_bins = len(log_background)
    expected = ratio.copy()
    factor = rng.gamma(averages, 1 / averages, n_bins) * (1 + ratio)
    for place, power in sines:
        bin_ = int(round(place)) - 1
        segments = (rng.normal(size=averages) + 1j * rng.normal(size=averages)) * np.sqrt((1 + expected[bin_]) / 2)
        factor[bin_] = np.mean(np.abs(segments + np.sqrt(power)) ** 2)
        expected[bin_] += power
    return np.exp(log_background) * factor, expected


def coloured_noise(
    rng: np.random.Generator, log_psd: Float[ndarray, " bin"], n_samples: int
) -> Float[ndarray, " sample"]:
    """A Gaussian time series with a given one-sided PSD, samples at unit rate.

    Parameters
    ----------
    log_psd : ln of the PSD on bins 1..n of a segment of 2 (n + 1) samples, interpolated between them
    """
    position = np.fft.rfftfreq(n_samples, 1 / (2 * (len(log_psd) + 1)))  # in bins of a segment
    psd = np.exp(np.interp(position, np.arange(1, len(log_psd) + 1), log_psd))
    normal = rng.standard_normal(len(psd)) + 1j * rng.standard_normal(len(psd))
    return np.fft.irfft(np.sqrt(psd / 2) * normal, n_samples) * np.sqrt(n_samples / 2)


def line_amplitude(level: float, segment: int) -> float:
    """Amplitude of a sinusoid whose peak in Welch's spectrum (Hann, unit rate) has the PSD `level`.

    A sinusoid of amplitude a has PSD a^2 / 2 over the Hann window's 1.5 bins of noise bandwidth, at its peak.
    """
    return float(np.sqrt(2 * level * 1.5 / segment))


def _through_welch(rng, log_background, ratio, sines, averages):
    """scipy.signal.welch of a time series with the spectrum S (1 + r) and sinusoids: Hann, half overlap, detrended."""
    n_bins = len(log_background)
    segment = 2 * (n_bins + 1)
    samples = (averages + 1) * segment // 2
    series = coloured_noise(rng, log_background + np.log1p(ratio), samples)
    times, expected = np.arange(samples) / segment, ratio.copy()
    bins = np.arange(1, n_bins + 1)
    for place, power in sines:
        level = np.exp(np.interp(place, bins, log_background)) * power
        series += line_amplitude(level, segment) * np.sin(2 * np.pi * (place * times + rng.random()))
        offset = np.where(np.abs(bins - place) < 1e-4, 1e-4, bins - place)
        offset = np.where(np.abs(np.abs(offset) - 1) < 1e-4, offset + 1e-4, offset)
        expected += level * (np.sinc(offset) / (1 - offset**2)) ** 2 / np.exp(log_background)
    return welch(series, nperseg=segment)[1][1:-1], expected
