"""Rivals of the detector on a measured spectrum: what a user would pick where the background's form is not known.

A rival is a callable (freqs, ln psd, K) -> score per bin of one complete spectrum, higher where noise is more likely.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy import ndarray
from scipy.ndimage import percentile_filter, uniform_filter1d
from scipy.special import digamma

from evidence.smooth_fits import spline_basis
from nblib.cells import CELL_WIDTH
from nblib.measured.statistic.bank import OVERFLOW
from nblib.scoring.filters import matched_filter, running_median
from nblib.scoring.likelihood import BROAD_LINES, line_posterior
from nblib.smoothing import log_median, rolling_median

Rival = Callable[[ndarray, ndarray, float], ndarray]

NARROW = (1, 2, 3)  # standard deviations of the filters, bins
WINDOWS = (51, 101, 401, 801)  # bins
DEGREE, CLIP_ROUNDS, CLIP_LIMIT = 9, 8, 3.0  # of the polynomial in ln f; rounds; standard deviations
CONSTANT_Q = 0.3  # of ln f: the window of the constant-Q median
CFAR_WINDOW, CFAR_PERCENT = 51, 75  # bins; the order statistic
BOXES = (1, 3, 9, 27)  # bins of the boxes of the generalised likelihood ratio
ONE_LINE = 200  # bins in which the posterior looks for one line; a measured spectrum holds many
MEDIAN = "running median 101"


def _polynomial(freqs, log_psd, n_segments):
    """ln background: a polynomial in ln f, bins that stand out clipped, fitted again."""
    at, kept = np.log(freqs), np.ones(len(freqs), dtype=bool)
    for _ in range(CLIP_ROUNDS):
        curve = np.polynomial.Polynomial.fit(at[kept], log_psd[kept], DEGREE)(at)
        kept = np.abs(log_psd - curve) < CLIP_LIMIT * max(1 / np.sqrt(n_segments), np.std((log_psd - curve)[kept]))
    return curve


def _constant_q(freqs, log_psd, n_segments):
    """ln background: the running median over a window that is a fixed share of the frequency."""
    at = np.linspace(np.log(freqs[0]), np.log(freqs[-1]), 4 * len(freqs))
    window = max(int(CONSTANT_Q / (at[1] - at[0])) | 1, 3)
    smooth = rolling_median(np.interp(at, np.log(freqs), log_psd)[None], window)[0]
    return np.interp(np.log(freqs), at, smooth) - log_median(n_segments)


def _median(window, freqs, log_psd, n_segments):
    return running_median(log_psd[None], window, n_segments)[0]


def _pybaselines(name, freqs, log_psd, n_segments):
    """ln background: a classification baseline at its defaults on ln x against ln f."""
    from pybaselines import Baseline

    return getattr(Baseline(x_data=np.log(freqs)), name)(log_psd)[0]


def _filtered(background, freqs, log_psd, n_segments):
    """Narrow matched filters on what stands above a background."""
    residual = np.minimum(log_psd - background(freqs, log_psd, n_segments), OVERFLOW)  # a polynomial may run away
    return matched_filter(residual[None], NARROW, n_segments)[0]


def _boxes(freqs, log_psd, n_segments):
    """Largest ln likelihood ratio of a box of excess around each bin, its height free, on a running median.

    n K (m - 1 - ln m) for the mean m > 1 of n values of Gamma(K, 1/K).
    """
    ratio = np.exp(np.minimum(log_psd - _median(101, freqs, log_psd, n_segments), OVERFLOW))
    best = np.zeros(len(ratio))
    for size in BOXES:
        mean = np.maximum(uniform_filter1d(ratio, size, mode="nearest"), 1.0)
        np.maximum(best, size * n_segments * (mean - 1 - np.log(mean)), out=best)
    return best


def _order_statistic(freqs, log_psd, n_segments):
    """Ln power over an order statistic of the bins around (CFAR)."""
    return log_psd - percentile_filter(log_psd, CFAR_PERCENT, CFAR_WINDOW)


def _spline_posterior(freqs, log_psd, n_segments):
    """Log-odds of a line in each cell, in the residual of the spline that notebook 06 fits (setting fixed there).

    The posterior is that of one line or none in windows of 200 bins, which overlap by half; the larger counts.
    """
    keep, step = np.ones((1, len(freqs)), dtype=bool), ONE_LINE // 2
    residual = (log_psd - spline_basis(freqs).fit(log_psd[None], keep)[0]) + digamma(n_segments) - np.log(n_segments)
    padded = np.pad(np.minimum(residual, OVERFLOW), (step, 2 * step - len(freqs) % step))
    windows = np.lib.stride_tricks.sliding_window_view(padded, ONE_LINE)[::step]
    chance = np.repeat(line_posterior(windows, n_segments, BROAD_LINES), CELL_WIDTH, axis=1)
    odds = np.log(np.maximum(chance, 1e-300)) - np.log(np.maximum(1 - chance, 1e-16))
    later, earlier = odds[1:, :step], odds[:-1, step:]  # of the same bins
    return np.maximum(later, earlier).ravel()[: len(freqs)]


def _specparam(freqs, log_psd, n_segments):
    """Height of the peaks that specparam fits with its power law, at its defaults.

    References
    ----------
    Donoghue et al., Nature Neuroscience 23 (2020), the former FOOOF.
    """
    from specparam import SpectralModel

    model = SpectralModel(verbose=False)
    model.fit(freqs, np.exp(log_psd))
    return model.results.model.get_component("peak")


RIVALS: dict[str, Rival] = {
    **{f"running median {window}": partial(_filtered, partial(_median, window)) for window in WINDOWS},
    f"polynomial of degree {DEGREE}, clipped": partial(_filtered, _polynomial),
    "constant-Q median": partial(_filtered, _constant_q),
    "order-statistic CFAR": _order_statistic,
    "boxes, likelihood ratio": _boxes,
    "spline, posterior of a line": _spline_posterior,
}
SLOW: dict[str, Rival] = {  # two libraries at their defaults
    **{
        f"pybaselines, {name}": partial(_filtered, partial(_pybaselines, name))
        for name in ("fabc", "dietrich", "std_distribution")
    },
    "specparam, its peaks": _specparam,
}
