"""Rivals of the detector on a measured spectrum: what a user would pick where the background's form is not known.

A rival is a callable (freqs, ln psd, K) -> score per bin of one complete spectrum, higher where noise is more likely.
A family is one kind of rival at several settings, so that no rival is judged at an arbitrary setting.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy import ndarray
from scipy.ndimage import percentile_filter, uniform_filter1d
from scipy.special import digamma

from evidence.smooth_fits import spline_basis
from nblib.cells import CELL_WIDTH
from nblib.measured.statistic.bank import OVERFLOW
from nblib.scoring.filters import matched_filter, running_median
from nblib.scoring.likelihood import BROAD_LINES, likelihood_ratio
from nblib.smoothing import log_median, rolling_median

Rival = Callable[[ndarray, ndarray, float], ndarray]

NARROW = (1, 2, 3)  # standard deviations of the filters, bins
WINDOWS = (51, 101, 401, 801)  # bins
DEGREES, CLIP_ROUNDS, CLIP_LIMIT = (5, 9, 15), 8, 3.0  # of the polynomial in ln f; rounds; standard deviations
SHARES = (0.15, 0.3, 0.6)  # of ln f: the window of the constant-Q median
CFAR_WINDOWS, PERCENTS = (51, 101, 401), (50, 75)  # bins; the order statistic
BOXES, BOX_WINDOWS = (1, 3, 9, 27), (101, 401)  # bins of the boxes; of the running median below them
INTERVALS = (6, 12, 24)  # of ln f between the spline's knots; 6 is notebook 06's
MEDIAN, CONSTANT_Q = "running median 101", "constant-Q median"


def _polynomial(degree, freqs, log_psd, n_segments):
    """ln background: a polynomial in ln f, bins that stand out clipped, fitted again until the same bins are kept."""
    at, kept = np.log(freqs), np.ones(len(freqs), dtype=bool)
    for _ in range(CLIP_ROUNDS):
        curve, before = np.polynomial.Polynomial.fit(at[kept], log_psd[kept], degree)(at), kept
        kept = np.abs(log_psd - curve) < CLIP_LIMIT * max(1 / np.sqrt(n_segments), np.std((log_psd - curve)[kept]))
        if np.array_equal(kept, before):
            break
    return curve


def _constant_q(share, freqs, log_psd, n_segments):
    """ln background: the running median over a window that is a fixed share of the frequency."""
    at = np.linspace(np.log(freqs[0]), np.log(freqs[-1]), 4 * len(freqs))
    window = max(int(share / (at[1] - at[0])) | 1, 3)
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


def _boxes(window, freqs, log_psd, n_segments):
    """Largest ln likelihood ratio of a box of excess around each bin, its height free, on a running median.

    n K (m - 1 - ln m) for the mean m > 1 of n values of Gamma(K, 1/K).
    """
    ratio = np.exp(np.minimum(log_psd - _median(window, freqs, log_psd, n_segments), OVERFLOW))
    best = np.zeros(len(ratio))
    for size in BOXES:
        mean = np.maximum(uniform_filter1d(ratio, size, mode="nearest"), 1.0)
        np.maximum(best, size * n_segments * (mean - 1 - np.log(mean)), out=best)
    return best


def _order_statistic(window, percent, freqs, log_psd, n_segments):
    """Ln power over an order statistic of the bins around (CFAR)."""
    return log_psd - percentile_filter(log_psd, percent, window)


def _spline_ratio(n_intervals, freqs, log_psd, n_segments):
    """Largest ln likelihood ratio of a line in each cell, on a spline."""
    at, values = (row.astype(np.float64).tobytes() for row in (freqs, log_psd))
    return _line_ratios(at, values, n_segments)[n_intervals]


@lru_cache(maxsize=1)
def _line_ratios(freqs: bytes, log_psd: bytes, n_segments: float) -> dict[int, ndarray]:
    """By number of intervals: one call for all splines takes half the time.

    The ratio and not the posterior of notebook 06: a measured spectrum leaves so much of itself on a spline that the
    posterior is 1 to 16 digits on cells that should be quiet, and tells them from no line.
    """
    at, values = np.frombuffer(freqs), np.frombuffer(log_psd)[None]
    keep = np.ones(values.shape, dtype=bool)
    fits = np.concatenate([spline_basis(at, number).fit(values, keep) for number in INTERVALS])
    residual = np.minimum(values - fits + digamma(n_segments) - np.log(n_segments), OVERFLOW)
    rows = np.repeat(likelihood_ratio(residual, n_segments, BROAD_LINES), CELL_WIDTH, axis=1)[:, : len(at)]
    return dict(zip(INTERVALS, rows, strict=True))


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


MEDIANS: dict[str, Rival] = {
    f"running median {window}": partial(_filtered, partial(_median, window)) for window in WINDOWS
}
FAMILIES: dict[str, dict[str, Rival]] = {
    name: {f"{name}: {setting}": rival for setting, rival in settings.items()}
    for name, settings in {
        "polynomial, clipped": {f"degree {n}": partial(_filtered, partial(_polynomial, n)) for n in DEGREES},
        CONSTANT_Q: {f"{share:g} of ln f": partial(_filtered, partial(_constant_q, share)) for share in SHARES},
        "order-statistic CFAR": {
            f"{percent} % of {window} bins": partial(_order_statistic, window, percent)
            for window in CFAR_WINDOWS
            for percent in PERCENTS
        },
        "boxes, likelihood ratio": {f"over running median {window}": partial(_boxes, window) for window in BOX_WINDOWS},
        "spline, likelihood ratio of a line": {
            f"{number} intervals": partial(_spline_ratio, number) for number in INTERVALS
        },
    }.items()
}
RIVALS = MEDIANS | {setting: rival for settings in FAMILIES.values() for setting, rival in settings.items()}
SLOW: dict[str, Rival] = {  # two libraries at their defaults
    **{
        f"pybaselines, {name}": partial(_filtered, partial(_pybaselines, name))
        for name in ("fabc", "dietrich", "std_distribution")
    },
    "specparam, its peaks": _specparam,
}
