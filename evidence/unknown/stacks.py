"""Spectra of one set-up, drawn: line-free, with lines that recur, and with what only one of them has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evidence.unknown.second_world import draw_background
from nblib.measured.detector import NoiseDetector
from nblib.measured.line_free.backgrounds import Grid as EstimatorGrid
from nblib.measured.line_free.backgrounds import draw_background as wide_background
from nblib.measured.line_free.disturbances import External, draw_estimate
from nblib.measured.recurrent import OverBackground, Stack, sharp_bins
from nblib.measured.statistic.background import SOFT, Grid, robust_background
from nblib.smoothing import log_median

N_LINES = 5
FALSE_ALARM = 0.01  # of each spectrum by itself
MARGIN = 20  # bins at the ends without a line
LEVELS = 10.0  # times, that the levels of two spectra may differ by, either way
MATCH = 1  # bins beside a line, in which a flag finds it


@dataclass(frozen=True)
class Draw:
    """How the spectra of one set-up are drawn.

    Attributes
    ----------
    n_spectra, n_segments, n_bins : N, K, and the bins of the coarsest spectrum
    own_physics : each spectrum has a background of its own, else only a level of its own
    simple : the backgrounds are 1/f and white, with a corner anywhere; else of the second generator
    grids : every second spectrum has bins half as wide and ends early, at 60 to 100 % of the axis
    estimator : "welch" (independent bins) or "welch_hann"
    height : of the lines over the background on the coarsest bins, 0 for none
    in_spectra : how many of the spectra have the lines
    single : (height, width in bins) of what the first spectrum alone has, or None
    """

    n_spectra: int = 10
    n_segments: int = 16
    n_bins: int = 1000
    own_physics: bool = False
    simple: bool = False
    grids: bool = False
    estimator: str = "welch"
    height: float = 0.0
    in_spectra: int = 10
    single: tuple[float, int] | None = None


def draw_stack(
    draw: Draw, key: Sequence[int], detector: NoiseDetector
) -> tuple[list[OverBackground], Float[ndarray, " line"], float]:
    """The spectra over their backgrounds, as `nblib detect` has them, the lines [Hz], and where `single` begins."""
    rng = np.random.default_rng(key)
    sites = _sites(rng, draw.n_bins)
    alone = int(rng.integers(MARGIN, draw.n_bins - 2 * MARGIN - (draw.single or (0, 1))[1]))
    fine = 2 * draw.n_bins  # half bins
    background = simple_background if draw.simple else draw_background
    shared = background(rng, fine)
    spectra = []
    for number in range(draw.n_spectra):
        log_background = background(rng, fine) if draw.own_physics else shared
        log_background = log_background + rng.uniform(-1, 1) * np.log(LEVELS)
        halves = 2 if draw.grids and number % 2 else 1
        end = int(rng.uniform(0.6, 1.0) * halves * draw.n_bins) if halves == 2 else draw.n_bins
        freqs = np.arange(1.0, end + 1) / halves
        level = np.interp(freqs, np.arange(1, fine + 1) / 2, log_background)
        excess = np.zeros(end)
        if number < draw.in_spectra:
            inside = sites[sites <= freqs[-1]]
            excess[np.rint(halves * inside).astype(int) - 1] += halves * draw.height
        if draw.single and number == 0:
            excess[alone : alone + draw.single[1]] += draw.single[0]
        psd = np.exp(level) * (1 + excess) * _estimate(rng, freqs, level, draw)
        detection = detector.score(freqs, psd, draw.n_segments).at(FALSE_ALARM)
        ranges = tuple((flag.fmin, flag.fmax) for flag in detection.flags)
        spectra.append(OverBackground(freqs, psd / np.exp(detection.background), detection.bin_segments, ranges))
    return spectra, sites, float(alone + 1)


def simple_background(rng: np.random.Generator, n_bins: int) -> Float[ndarray, " bin"]:
    """ln of 1/f and white noise on bins 1..n, equal at a corner between the first bin and the last."""
    return np.log1p(n_bins ** rng.random() / np.arange(1.0, n_bins + 1))


def _sites(rng, n_bins):
    """Whole Hz of the lines, well apart."""
    part = (n_bins - 2 * MARGIN) // N_LINES
    return MARGIN + np.arange(N_LINES) * part + rng.integers(part // 5, part - part // 5, N_LINES).astype(float)


def _estimate(rng, freqs, log_background, draw):
    """Estimate over expectation of each bin."""
    if draw.estimator == "welch":
        return rng.gamma(draw.n_segments, 1 / draw.n_segments, len(freqs))
    ones = np.ones(len(freqs), dtype=np.int64)
    grid = EstimatorGrid(freqs, "linear", ones, ones - 1)
    empty = External(np.zeros(len(freqs)), np.zeros(0), np.zeros(0))
    return draw_estimate(rng, grid, empty, np.full(len(freqs), float(draw.n_segments)), "welch_hann")


def largest_sharp(n_spectra: int, n_segments: int, n_bins: int, key: Sequence[int]) -> dict[str, float]:
    """Largest narrow score of a sharp bin in a line-free average on a background of the `wide` world, by statistic.

    All spectra have that background, so that its structure recurs. Where nothing is flagged a spectrum's background is
    the soft one.
    """
    rng, freqs = np.random.default_rng(key), np.arange(1.0, n_bins + 1)
    log_background = wide_background(rng, freqs)
    segments, grid = np.full(n_bins, float(n_segments)), Grid(freqs, np.ones(n_bins, dtype=bool))
    spectra = []
    for _ in range(n_spectra):
        log_psd = log_background + np.log(rng.gamma(n_segments, 1 / n_segments, n_bins))
        restored = robust_background(log_psd, grid, 1 / np.sqrt(segments), SOFT) - log_median(segments)
        spectra.append(OverBackground(freqs, np.exp(log_psd - restored), segments))
    one = NoiseDetector().score(freqs, *Stack(spectra).average())
    sharp = sharp_bins(one)
    scores = {"classical": one.scored.white.by_group[0], "combined": one.scored.by_group[0]}
    return {name: float(np.where(sharp, values, 0.0).max()) for name, values in scores.items()}


def overlaps(ranges: Sequence[tuple[float, float]], span: tuple[float, float]) -> bool:
    """Does any range overlap a span, Hz?"""
    return any(low <= span[1] and high >= span[0] for low, high in ranges)


def lines_found(ranges: Sequence[tuple[float, float]], sites: Float[ndarray, " line"]) -> int:
    """Lines with a flag within a bin of 1 Hz."""
    return sum(any(low - MATCH <= site <= high + MATCH for low, high in ranges) for site in sites)
