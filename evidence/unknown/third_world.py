"""A third generator of spectra with unknown backgrounds: line-free recordings, written apart from the other two.

Every spectrum comes from a time series, as a laboratory's does: power laws, trap corners, a white floor, in half of
them an anti-alias filter, rounded to the 16 bits of a recorder, then Welch's average with Hann's window at half
overlap. It is written as an analyser writes it: on a linear grid, averaged into logarithmic bands, or stitched from
spans of different resolution.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.fft import irfft, next_fast_len
from scipy.signal import get_window, welch

from nblib.measured.line_free.world import WideSpectrum
from nblib.measured.welch import effective_averages

GRIDS = {"linear": "linear", "log": "merged", "stitched": "spans"}  # and what the other worlds call them
FEWEST, MOST = 4.3, 210  # segments averaged, whose effective number is 3.8 to 200
LARGEST_SERIES = 400_000  # samples; long segments are averaged less, as there is one recording
FULL_SCALE = (5.0, 30.0)  # of the recorder, standard deviations of what it records
LARGEST_CODE = 2**15 - 1
USED = 0.78  # of a span's axis, its upper end left out as analysers do


@dataclass(frozen=True)
class ThirdWorld:
    """world[i] is a WideSpectrum without external noise, drawn from (seed, grid, sizes, i) alone.

    n_segments of a bin is the effective number of averages, overlap taken off, times the linear bins in it; that Hann's
    neighbouring bins correlate is not taken off. log_background holds the rounding's floor.

    Attributes
    ----------
    seed : >= 0
    grid : one of GRIDS
    sizes : range of the number of bins, log-uniform; met within a few per cent
    """

    seed: int = 0
    grid: str = "linear"
    sizes: tuple[int, int] = (300, 6000)

    def __post_init__(self):
        if self.grid not in GRIDS:
            raise ValueError(f"unknown grid {self.grid!r}; known: {', '.join(GRIDS)}")

    def __getitem__(self, index: int) -> WideSpectrum:
        rng = np.random.default_rng([3, list(GRIDS).index(self.grid), self.seed, index])
        n_bins = round(_log_uniform(rng, *self.sizes))
        edges, lengths = _layout(rng, self.grid, n_bins)
        averages = _log_uniform(rng, FEWEST, MOST)
        averages = max(round(min(averages, 2 * LARGEST_SERIES / lengths[0])), 4)
        background = draw_background(rng, 1 / lengths[0])
        codes, step = recording(rng, background, (averages + 1) * lengths[0] // 2)
        rate, unit = 10 ** rng.uniform(1, 6), 10 ** rng.uniform(-9, 0)  # Hz, and of one sample at unit step
        spans = [_span(codes, length, _fitting(rng, averages, lengths[0] // length)) for length in lengths]
        freqs, psd, segments = _joined(spans, lengths)
        expected = background(freqs) + rounding_floor(step)
        counts = np.diff(edges) if len(edges) else np.ones(len(freqs), dtype=int)
        starts = np.cumsum(counts) - counts
        freqs, psd, expected = (np.add.reduceat(values, starts) / counts for values in (freqs, psd, expected))
        return WideSpectrum(
            freqs * rate,
            psd * (step * unit) ** 2 / rate,
            np.log(expected * unit**2 / rate),
            np.zeros(len(freqs)),
            np.zeros(len(freqs), dtype=bool),
            np.ones(len(freqs), dtype=bool),
            segments[starts] * counts,
            "welch_hann",
            GRIDS[self.grid],
        )


# ---- the series ----


def draw_background(rng: np.random.Generator, lowest: float) -> Callable[[ndarray], ndarray]:
    """A one-sided PSD at unit sampling rate, as a function of frequencies in (0, 0.5].

    Parameters
    ----------
    lowest : frequency of the first bin of a spectrum, cycles per sample
    """
    laws = [(rng.uniform(0, 2), _log_uniform(rng, lowest, 0.5)) for _ in range(rng.integers(1, 3))]
    white = 10 ** rng.uniform(-8, 0) if rng.random() < 0.5 else 1.0
    corners = [
        (_log_uniform(rng, 4 * lowest, 0.25), 10 ** rng.uniform(-0.5, 1.5)) for _ in range(rng.choice([0, 1, 1, 2]))
    ]
    stop, order = (rng.uniform(0.12, 0.45), int(rng.integers(1, 9))) if rng.random() < 0.5 else (np.inf, 1)

    def smooth(freqs):
        return white + sum((freqs / at) ** -exponent for exponent, at in laws)

    heights = [height * smooth(corner) for corner, height in corners]

    def background(freqs):
        traps = sum(height / (1 + (freqs / at) ** 2) for (at, _), height in zip(corners, heights, strict=True))
        return (smooth(freqs) + traps) / (1 + (freqs / stop) ** (2 * order))

    return background


def recording(
    rng: np.random.Generator, background: Callable[[ndarray], ndarray], n_samples: int
) -> tuple[Int[ndarray, " sample"], float]:
    """A Gaussian series of that PSD in codes of 16 bits, and the step of one code in the PSD's own unit.

    It is cut from a longer one, so that it drifts and is not periodic.
    """
    whole = next_fast_len(n_samples + n_samples // 4, real=True)
    freqs = np.arange(1, whole // 2 + 1, dtype=np.float32) / np.float32(whole)
    amplitude = np.sqrt(np.asarray(background(freqs), dtype=np.float32) * np.float32(whole / 4))
    normal = rng.standard_normal((2, len(freqs)), dtype=np.float32)
    spectrum = np.zeros(whole // 2 + 1, dtype=np.complex64)
    spectrum.real[1:], spectrum.imag[1:] = amplitude * normal[0], amplitude * normal[1]
    series = irfft(spectrum, whole)[:n_samples]
    step = float(series.std()) * _log_uniform(rng, *FULL_SCALE) / LARGEST_CODE
    codes = np.clip(np.rint(series / np.float32(step)), -LARGEST_CODE, LARGEST_CODE)
    return codes.astype(np.int16), step


def rounding_floor(step: float) -> float:
    """One-sided PSD of a rounding error, at unit sampling rate: its variance step^2 / 12 evenly over 0 to 0.5."""
    return step**2 / 6


# ---- the spectrum ----


def _log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _layout(rng, grid, n_bins):
    """First linear bin of each band, from 0, with the end behind the last (none: no bands); lengths of segments."""
    if grid == "linear":
        return [], [2 * (n_bins + 1)]
    if grid == "log":
        above = _log_uniform(rng, 5, max(30 - n_bins / 200, 5.1))  # the last bin over the last that is single
        single = n_bins / (1 + np.log(above))
        growth = single * np.exp(np.arange(1, n_bins - single + 1) / single)
        edges = np.unique(np.concatenate([np.arange(single), np.rint(growth)]).astype(int))
        return edges, [2 * (int(edges[-1]) + 1)]
    n_spans = int(rng.integers(2, 4))
    factor = int(rng.choice([2, 4, 5, 10]))
    while factor ** (n_spans - 1) * n_bins > LARGEST_SERIES // 12:
        factor -= 1
    shortest = 2 * round(n_bins / (1 + USED * (n_spans - 1) * (1 - 1 / factor)))
    return [], [shortest * factor**place for place in range(n_spans - 1, -1, -1)]


def _fitting(rng, averages, ratio):
    """Averages of a span whose segments are that much shorter: from as many as the longest have to all that fit."""
    most = min((averages + 1) * ratio - 1, MOST)
    return averages if ratio == 1 or most <= averages else round(_log_uniform(rng, averages, most))


def _span(codes, length, n_averaged):
    """Frequency at unit rate, mean power of the codes, and K of each bin of Welch's average of so many segments."""
    freqs, psd = welch(codes[: (n_averaged + 1) * length // 2].astype(np.float64), nperseg=length)
    segments = effective_averages(np.arange(n_averaged), get_window("hann", length), length // 2)
    return freqs[1:-1], psd[1:-1], np.full(length // 2 - 1, segments)


def _joined(spans, lengths):
    """Spans one behind the other: each to its own end, from where the one below it ends."""
    rows, begin = [], 0.0
    for number, ((freqs, psd, segments), length) in enumerate(zip(spans, lengths, strict=True)):
        is_last = number == len(spans) - 1
        end = 0.5 if is_last else USED * 0.5 * lengths[-1] / length
        kept = (freqs - 0.5 / length >= begin - 1e-9) & (freqs < end)
        rows.append((freqs[kept], psd[kept], segments[kept]))
        begin = rows[-1][0][-1] + 0.5 / length
    return [np.concatenate(column) for column in zip(*rows, strict=True)]
