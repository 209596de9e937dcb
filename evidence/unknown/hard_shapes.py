"""Draws of what a detector easily gets wrong: lines on the ends of the axis, rises and walls, wide humps, a stated K.

Every draw follows from a seed and a number. A judgement says what was flagged of one draw;
evidence/benchmarks/hard_shapes.py counts.
"""

import numpy as np
from numpy import ndarray

from evidence.unknown.own_checks import Draw, clean, with_lines
from nblib.measured.detector import NoiseDetector

N_BINS = 3000
SHAPE = "1/f and white"
END_SEGMENTS, END_RATIO = 100, 50.0
END_BINS = {"first": 0, "second": 1, "third": 2, "last but two": -3, "last but one": -2, "last": -1}
FROM_ZERO = 20  # bin widths from 0 Hz to the first bin, where the first bins are tried
RISE = 8.0  # times the background, at the last bin or at the first
WALL = 6  # exponent of a wall in f
HUMP_SEGMENTS, HUMP_RATIO = 64, 2.0
FOOT = 0.1  # of a hump's height: what stands above it is the hump
SLIVER = 0.5  # of the hump's bins: flags that cover less are slivers
LINES = 7  # a spectrum


def _spectrum(rng, n_segments, first=1, log_factor: ndarray | None = None) -> Draw:
    """A line-free spectrum from the bin `first` on, its background times exp(log_factor)."""
    draw = clean(rng, np.arange(float(first), first + N_BINS), SHAPE, n_segments)
    factor = np.exp(np.zeros(N_BINS) if log_factor is None else log_factor)
    return Draw(draw.freqs, draw.psd * factor, draw.background * factor, n_segments)


def line_at_end(seed: int, number: int, place: int, detector: NoiseDetector) -> bool:
    """Is a line of one bin found at 1 % false alarms, END_RATIO times the background.

    Parameters
    ----------
    place : bin from 0 on, of an axis that begins FROM_ZERO bin widths above 0 Hz, or from -1 on backwards
    """
    draw = _spectrum(np.random.default_rng([seed, number, place % N_BINS]), END_SEGMENTS, FROM_ZERO)
    psd = draw.psd.copy()
    psd[place] *= 1 + END_RATIO
    return bool(detector.detect(draw.freqs, psd, draw.n_segments).flagged[place])


def flagged_background(seed: int, number: int, kind: str, known: bool, detector: NoiseDetector) -> bool:
    """Is anything flagged at 1 % false alarms on a background that rises or has a wall.

    Parameters
    ----------
    kind : "rise, 6 bins" and "rise, 30 bins": over so many last bins to RISE times the background; "wall": f^-WALL on
        the lowest bins, from ten bins on above what it falls onto
    known : is K given
    """
    rng = np.random.default_rng([seed, number, len(kind)])
    if kind == "wall":
        log_factor = np.log1p((np.arange(1.0, N_BINS + 1) / 10) ** -float(WALL))
    else:
        n_bins = int(kind.split()[1])
        log_factor = np.log(RISE) * np.clip((np.arange(N_BINS) - (N_BINS - 1 - n_bins)) / n_bins, 0, None)
    return _flagged(_spectrum(rng, END_SEGMENTS, 1, log_factor), known, detector)


def flagged_low_end(seed: int, number: int, kind: str, first: int, known: bool, detector: NoiseDetector) -> bool:
    """Is anything flagged at 1 % false alarms on a background that rises or has a wall at its first bins.

    Parameters
    ----------
    kind : "rise, first 6 bins": from so many bins on to RISE times the background at the first; "wall, first 30 bins":
        f^-WALL, as much as what it falls onto so many bins from the first
    first : bin widths from 0 Hz to the first bin
    known : is K given
    """
    rng = np.random.default_rng([seed, number, len(kind), first])
    shape, n_bins = kind.split(",")[0], int(kind.split()[2])
    bins = np.arange(N_BINS)
    if shape == "wall":
        log_factor = np.log1p(((first + bins) / (first + n_bins)) ** -float(WALL))
    else:
        log_factor = np.log(RISE) * np.clip((n_bins - bins) / n_bins, 0, None)
    return _flagged(_spectrum(rng, END_SEGMENTS, first, log_factor), known, detector)


def _flagged(draw, known, detector):
    """Is anything flagged at 1 % false alarms."""
    return bool(detector.detect(draw.freqs, draw.psd, draw.n_segments if known else None).flags)


def hump(seed: int, number: int, sigma: float, detector: NoiseDetector) -> dict[str, float]:
    """A Gaussian hump of HUMP_RATIO times the background, 5 % false alarms asked, K stated.

    Parameters
    ----------
    sigma : standard deviation, bins

    Returns
    -------
    flagged: 0 or 1; sliver: 1 where what is flagged covers less than half of it; covered: share of its bins that are
    flagged; error: largest distance of the restored background from the true one under it, ln units
    """
    rng = np.random.default_rng([seed, number, round(sigma)])
    quiet = _spectrum(rng, HUMP_SEGMENTS)
    centre = N_BINS * rng.uniform(0.3, 0.7)
    draw = with_lines(quiet, [centre], [sigma], [HUMP_RATIO])
    detection = detector.detect(draw.freqs, draw.psd, draw.n_segments, 0.05)
    inside = np.abs(draw.freqs - centre) < sigma * np.sqrt(-2 * np.log(FOOT))
    covered = float(detection.flagged[inside].mean())
    return {
        "flagged": float(covered > 0),
        "sliver": float(0 < covered < SLIVER),
        "covered": covered,
        "error": float(np.abs(detection.background - np.log(draw.background))[inside].max()),
    }


def lines_found(seed: int, number: int, n_segments: int, ratio: float, known: bool, detector: NoiseDetector) -> int:
    """How many of LINES lines of one bin are found at 1 % false alarms.

    Parameters
    ----------
    ratio : excess over the background
    known : is K given
    """
    freqs, psd, sites = draw_lines(seed, number, n_segments, ratio)
    detection = detector.detect(freqs, psd, n_segments if known else None)
    return int(detection.flagged[sites].sum())


def draw_lines(seed: int, number: int, n_segments: int, ratio: float) -> tuple[ndarray, ndarray, ndarray]:
    """Frequencies, spectrum and the bins of LINES lines of one bin each; parameters as in lines_found."""
    rng = np.random.default_rng([seed, number, n_segments])
    draw = _spectrum(rng, n_segments)
    edges = np.linspace(20, N_BINS - 20, LINES + 1)
    sites = (edges[:-1] + np.diff(edges) * rng.uniform(0.1, 0.9, LINES)).astype(int)
    psd = draw.psd.copy()
    psd[sites] += ratio * draw.background[sites]
    return draw.freqs, psd, sites


def in_deviations(deviations: float, n_segments: int) -> float:
    """Excess of a line of so many standard deviations of the estimate, over the background."""
    return deviations / float(np.sqrt(n_segments))
