"""Grids and backgrounds of the `wide` world: what a laboratory's spectrum looks like when nobody can write it down.

Everything scales with the axis or is counted in bins, so that any grid from 0.01 Hz to 10 MHz is served alike.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

LOWEST, HIGHEST = 1e-2, 1e7  # Hz
SMALLEST_GRID, LARGEST_GRID = 300, 10_000  # bins
GRID_SHARES = {"linear": 0.5, "log": 0.2, "merged": 0.15, "spans": 0.15}
STEEPEST = 60.0  # ln units that a wall may rise above the rest: 26 decades


@dataclass(frozen=True)
class Grid:
    """Where a spectrum's bins lie and what was averaged in each.

    Attributes
    ----------
    freqs : (bin,) Hz, increasing
    kind : "linear", "log" (points spaced evenly in ln f, each measured by itself), "merged" (linear bins averaged into
        bands of ln f) or "spans" (two to four linear spans, each with its own bin width and K)
    merged : (bin,) linear bins that were averaged into this one, >= 1
    span : (bin,) number of the span, 0 where there is one
    """

    freqs: Float[ndarray, " bin"]
    kind: str
    merged: Int[ndarray, " bin"]
    span: Int[ndarray, " bin"]


def log_uniform(rng: np.random.Generator, low: float, high: float, size=None):
    """Uniform in the logarithm between two positive numbers."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def draw_grid(rng: np.random.Generator, n_bins: int) -> Grid:
    """A grid of n_bins between 0.01 Hz and 10 MHz, its kind drawn by GRID_SHARES."""
    kind = str(rng.choice(list(GRID_SHARES), p=list(GRID_SHARES.values())))
    merged, span = np.ones(n_bins, dtype=np.int64), np.zeros(n_bins, dtype=np.int64)
    if kind == "log":
        low = log_uniform(rng, LOWEST, 1e5)
        high = min(low * 10 ** rng.uniform(1.5, 6.0), HIGHEST)
        return Grid(np.geomspace(low, high, n_bins), kind, merged, span)
    if kind == "merged":
        position, merged = _merged_bins(n_bins, rng.uniform(0.15, 0.6))
    elif kind == "spans":
        position, span = _span_bins(rng, n_bins)
    else:
        first = 1 if rng.random() < 0.6 else int(log_uniform(rng, 1, n_bins))
        position = np.arange(first, first + n_bins, dtype=np.float64)
    bin_width = log_uniform(rng, LOWEST, HIGHEST / position[-1])
    return Grid(position * bin_width, kind, merged, span)


def _merged_bins(n_bins, linear_share):
    """Linear bins up to a share of the axis, then bands of constant relative width: centres and bins in each."""
    n_linear = round(linear_share * n_bins)
    edges = n_linear * (1 + 1 / n_linear) ** np.arange(n_bins - n_linear + 1)
    widths = np.maximum(np.diff(np.rint(edges)), 1).astype(np.int64)
    merged = np.concatenate([np.ones(n_linear, dtype=np.int64), widths])
    ends = np.cumsum(merged)
    return ends - (merged - 1) / 2, merged


def _span_bins(rng, n_bins):
    """Two to four linear spans, each with bins 2 to 16 times as wide as the one before."""
    cuts = np.sort(rng.choice(np.arange(n_bins // 10, n_bins - n_bins // 10), rng.integers(1, 4), replace=False))
    span = np.searchsorted(cuts, np.arange(n_bins), side="right")
    widths = np.cumprod(np.concatenate([[1.0], rng.integers(2, 17, len(cuts))]))
    return np.cumsum(widths[span]), span


def draw_background(rng: np.random.Generator, freqs: Float[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """ln of one noise-free background, any overall level (1e-46..1e6): a sum of parts, shaped by factors.

    Parts: a white floor, a power law (exponent 0..2.5), 0 to 3 Lorentzians, a steep wall (f^-3..f^-9), a rising end.
    Factors: resonances of the device (wider than a twelfth of the axis), notches, a texture that no formula holds, an
    anti-alias roll-off onto the converter's floor.

    Parameters
    ----------
    freqs : Hz, positive and increasing
    """
    log_freqs, place = np.log(freqs), np.linspace(0.0, 1.0, len(freqs))
    parts = [np.zeros_like(freqs)]  # the floor sets the unit
    pivot = rng.uniform(log_freqs[0], log_freqs[-1])
    parts.append(rng.uniform(-5, 5) - rng.uniform(0, 2.5) * (log_freqs - pivot))
    for _ in range(rng.integers(0, 4)):
        corner = rng.uniform(log_freqs[0] - 2.3, log_freqs[-1] + 2.3)
        parts.append(rng.uniform(-3, 6) - np.log1p(np.exp(2 * (log_freqs - corner))))
    if rng.random() < 0.4:
        parts.append(np.minimum(-rng.uniform(3, 9) * (log_freqs - _low_place(rng, log_freqs)), STEEPEST))
    if rng.random() < 0.3:
        start = np.log(freqs[int(rng.uniform(0.3, 1.0) * (len(freqs) - 1))])
        parts.append(rng.uniform(0.5, 4) * (log_freqs - start))
    log_psd = _log_sum(parts)
    if rng.random() < 0.35:
        log_psd += _resonances(rng, place)
    if rng.random() < 0.15:
        log_psd -= _notches(rng, len(freqs))
    if rng.random() < 0.6:
        log_psd += texture(rng, len(freqs))
    if rng.random() < 0.25:
        log_psd = _roll_off(rng, log_freqs, log_psd)
    return log_psd + rng.uniform(np.log(1e-46), np.log(1e6))


def _log_sum(parts):
    """ln of the sum of exp(part) per bin."""
    largest = np.max(parts, axis=0)
    return largest + np.log(sum(np.exp(part - largest) for part in parts))


def _low_place(rng, log_freqs):
    """ln f of a wall: spread evenly over the logarithm of the bin number, below the middle of the axis."""
    return log_freqs[int(log_uniform(rng, 1, len(log_freqs) / 2))]


def _resonances(rng, place):
    """One to three wide Lorentzian humps that belong to the device: ln of 1 + h L."""
    hump = np.ones_like(place)
    for _ in range(rng.integers(1, 4)):
        width = log_uniform(rng, 1 / 12, 1 / 3)
        hump += log_uniform(rng, 0.3, 30) / (1 + ((place - rng.uniform(0, 1)) / width) ** 2)
    return np.log(hump)


def _notches(rng, n_bins):
    """Depth (ln units) of one to four notches, 2 bins to a thirtieth of the axis wide."""
    bins, depth = np.arange(n_bins), np.zeros(n_bins)
    for _ in range(rng.integers(1, 5)):
        width = log_uniform(rng, 2, n_bins / 30)
        depth += rng.uniform(0.3, 4) * np.exp(-0.5 * ((bins - rng.uniform(0, n_bins)) / width) ** 2)
    return depth


def texture(rng: np.random.Generator, n_bins: int) -> Float[ndarray, " bin"]:
    """Smooth random undulation (ln units) on one to three scales between 40 bins and a fifth of the axis.

    The longer the scale, the larger the undulation may be: up to 0.5 ln on a fifth of 3,000 bins, 0.13 on 40 bins.
    """
    bumps = np.zeros(n_bins)
    for _ in range(rng.integers(1, 4)):
        spacing = log_uniform(rng, 40, max(n_bins / 5, 60))
        largest = 0.5 * np.sqrt(min(spacing / 600, 1.0))
        place = np.arange(n_bins) / spacing + rng.random()  # in knots
        heights = log_uniform(rng, largest / 10, largest) * rng.standard_normal(int(place[-1]) + 2)
        knot = place.astype(np.int64)
        between = place - knot
        bumps += heights[knot] + (heights[knot + 1] - heights[knot]) * between**2 * (3 - 2 * between)
    return bumps


def _roll_off(rng, log_freqs, log_psd):
    """An anti-alias filter of order 2..8 near the end, down to the converter's floor."""
    corner = log_freqs[-1] + np.log(rng.uniform(0.6, 1.1))
    filtered = log_psd - np.logaddexp(0.0, 2 * rng.integers(2, 9) * (log_freqs - corner))
    return _log_sum([filtered, np.full_like(filtered, np.median(log_psd) - rng.uniform(2, 10))])
