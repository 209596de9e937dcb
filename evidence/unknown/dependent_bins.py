"""Spectra whose bins depend on each other, or whose values are written in steps: line-free, and with lines of 10 dB.

The background is 1/f and white. Lines are steady tones, ten times the background where they are highest.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import get_window, welch
from scipy.signal.windows import dpss

N_LINES = 5
PEAK = 10.0  # of the background
BINS = (1000, 4000)
SWEEPS, TAPERS, BANDWIDTH = 8, 7, 4.0  # averaged or held; of the multitaper estimate, and its half width in bins

Spectrum = tuple[ndarray, ndarray, ndarray]  # freqs [Hz], psd, bins of the lines


def background_of(n_bins: int) -> tuple[ndarray, ndarray]:
    """Frequencies, Hz, and the background's density."""
    freqs = np.arange(1.0, n_bins + 1)
    return freqs, 1.0 + 30.0 / freqs


def _sites(rng, n_bins, with_lines):
    """Bins of the lines, well apart and away from the low end."""
    if not with_lines:
        return np.zeros(0, dtype=int)
    part = (n_bins - n_bins // 10) // N_LINES
    return n_bins // 10 + np.arange(N_LINES) * part + rng.integers(part // 5, part - part // 5, N_LINES)


def _series(rng, n_bins, sites, n_samples, gain):
    """White noise filtered to the background, with tones whose averaged peak is PEAK times the background.

    gain : power of a tone of amplitude 1 over the density of white noise of variance 1, at its bin
    """
    shape = np.sqrt(np.interp(np.fft.rfftfreq(n_samples) * 2 * n_bins, *background_of(n_bins)))
    series = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * shape, n_samples)
    time = np.arange(n_samples)
    _, background = background_of(n_bins)
    for site in sites:
        amplitude = np.sqrt((PEAK - 1) * background[site] / gain)
        phase = rng.uniform(0, 2 * np.pi)
        series += amplitude * np.cos(np.pi * (site + 1) / n_bins * time + phase)
    return series


def multitaper(rng, n_bins, with_lines) -> Spectrum:
    """Thomson's estimate from one record: 7 tapers, a half bandwidth of 4 bins."""
    n_samples, sites = 2 * n_bins, _sites(rng, n_bins, with_lines)
    tapers = dpss(n_samples, BANDWIDTH, TAPERS)
    gain = np.mean(tapers.sum(axis=1) ** 2) / 4
    series = _series(rng, n_bins, sites, n_samples, gain)
    psd = np.mean(np.abs(np.fft.rfft(tapers * series, axis=1)) ** 2, axis=0)[1:]
    return np.arange(1.0, n_bins + 1), psd, sites


def zero_padded(factor, rng, n_bins, with_lines) -> Spectrum:
    """Welch's estimate with Hann's taper, 63 segments, padded with zeros to `factor` times their length."""
    length, sites = 2 * n_bins // factor, _sites(rng, n_bins, with_lines)
    taper = get_window("hann", length)
    gain = taper.sum() ** 2 / (taper**2).sum() / 4
    series = _series(rng, n_bins, sites, 32 * length, gain)
    psd = welch(series, 1.0, taper, length, nfft=factor * length)[1][1:] / 2
    return np.arange(1.0, n_bins + 1), psd, sites


def _swept(rng, n_bins, sites, bandwidth, reduce):
    """Sweeps of an analyser whose resolution bandwidth is so many bins, reduced to one value for each bin."""
    freqs, background = background_of(n_bins)
    width = bandwidth / 2.355
    noise = rng.standard_normal((2, SWEEPS, n_bins + 400))
    real, imaginary = (gaussian_filter1d(part, np.sqrt(2) * width, axis=1)[:, 200:-200] for part in noise)
    scale = np.sqrt(np.mean(real**2) + np.mean(imaginary**2))
    tone = np.zeros(n_bins)
    for site in sites:
        tone += np.exp(-0.25 * ((np.arange(n_bins) - site) / width) ** 2)
    shown = reduce((real**2 + imaginary**2) / scale**2).mean()  # of the background
    power = ((real / scale + np.sqrt(shown * PEAK - 1) * tone) ** 2 + (imaginary / scale) ** 2) * background
    return freqs, reduce(power), sites


def swept(reduce, rng, n_bins, with_lines) -> Spectrum:
    """A swept analyser with a resolution bandwidth of ten bins; reduce : of (sweep, bin)."""
    return _swept(rng, n_bins, _sites(rng, n_bins, with_lines), 10.0, reduce)


def _gamma(rng, n_bins, n_segments, with_lines):
    freqs, background = background_of(n_bins)
    sites = _sites(rng, n_bins, with_lines)
    truth = background.copy()
    truth[sites] *= PEAK
    return freqs, truth * rng.gamma(n_segments, 1 / n_segments, n_bins), sites


def octave_smoothed(rng, n_bins, with_lines) -> Spectrum:
    """Averages of 16 segments, smoothed over a twelfth of an octave; its lines are as wide, ten times where highest."""
    freqs, psd, sites = _gamma(rng, n_bins, 16, False)
    sites = _sites(rng, n_bins, with_lines)
    half = 2 ** (1 / 24)
    low = np.searchsorted(freqs, freqs / half)
    high = np.searchsorted(freqs, freqs * half, side="right")
    for site in sites:
        psd[site] += (PEAK - 1) * psd[low[site] : high[site]].sum()
    total = np.concatenate([[0.0], np.cumsum(psd)])
    return freqs, (total[high] - total[low]) / (high - low), sites


def whole_decibels(rng, n_bins, with_lines) -> Spectrum:
    """Averages of 32 segments in whole decibels."""
    freqs, psd, sites = _gamma(rng, n_bins, 32, with_lines)
    return freqs, 10 ** (np.round(10 * np.log10(psd)) / 10), sites


def few_decimals(rng, n_bins, with_lines) -> Spectrum:
    """Averages of 24 segments with so few decimals that the floor is two or three steps high."""
    freqs, psd, sites = _gamma(rng, n_bins, 24, with_lines)
    psd = np.round(2.4 * psd) / 2.4
    return freqs, np.where(psd > 0, psd, np.nan), sites


def clamped(n_segments, level, rng, n_bins, with_lines) -> Spectrum:
    """Averages that are shown at no less than `level` times the floor of the background."""
    freqs, psd, sites = _gamma(rng, n_bins, n_segments, with_lines)
    return freqs, np.maximum(psd, level), sites


KINDS: dict[str, Callable[..., Spectrum]] = {
    "multitaper, 7 tapers": multitaper,
    "Hann, zero-padded 2 x": partial(zero_padded, 2),
    "Hann, zero-padded 4 x": partial(zero_padded, 4),
    "resolution bandwidth of 10 bins, mean": partial(swept, partial(np.mean, axis=0)),
    "resolution bandwidth of 10 bins, mean of decibels": partial(
        swept, lambda power: np.exp(np.log(power).mean(axis=0))
    ),
    "resolution bandwidth of 10 bins, largest held": partial(swept, partial(np.max, axis=0)),
    "smoothed over 1/12 octave": octave_smoothed,
    "whole decibels": whole_decibels,
    "few decimals": few_decimals,
    "floor of the display, K = 4": partial(clamped, 4, 1.0),
    "floor of the display, K = 2": partial(clamped, 2, 1.4),
    "floor of the display, K = 30": partial(clamped, 30, 0.95),
}
