"""Intrinsic (estimation) noise: the factor g, mean 1, by which an averaged spectrum scatters, x = S (1 + r) g.

Equation numbers are those of docs/method.md.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.signal import welch
from scipy.special import digamma, polygamma

from nblib.project.registry import check_known

HANN_OVERLAP_CORRELATION = 1 / 36  # squared correlation of half-overlapping Hann segments


def _welch(rng, freqs, n_segments):
    """Averaged periodogram without taper or overlap: Gamma(K, 1/K), exactly."""
    gamma = rng.standard_gamma(n_segments, len(freqs), dtype=np.float32)
    return np.maximum(gamma, np.finfo(np.float32).tiny) / np.float32(n_segments)


def _welch_hann(rng, freqs, n_segments):
    """K half-overlapping Hann segments of white noise, so that neighbouring bins correlate as in real spectra."""
    segment = 2 * (len(freqs) + 1)  # bins 1..n of segment/2 + 1; DC and Nyquist are left out
    series = rng.standard_normal((n_segments + 1) * segment // 2)
    _, psd = welch(series, fs=1.0, window="hann", nperseg=segment, noverlap=segment // 2, detrend=False)
    return psd[1:-1] / 2.0  # one-sided white noise of unit variance has PSD 2


def _soft_clip_variance(freqs):
    return np.minimum(0.2 + 0.1 * freqs / 1000, 0.3)


def _soft_clip(normal):
    return 1 + 0.9 * 0.5 * np.tanh(normal / 0.5) + 0.1 * normal


def _soft_clipped(rng, freqs, n_segments):
    """The starting study's factor; only to compare with it. n_segments is not used."""
    factor = _soft_clip(rng.standard_normal(len(freqs)) * np.sqrt(_soft_clip_variance(freqs)))
    return np.maximum(factor, 1e-3)  # its tail reaches below zero once in 1e9 draws


INTRINSIC = {"welch": _welch, "welch_hann": _welch_hann, "soft_clipped": _soft_clipped}


def draw_intrinsic(
    rng: np.random.Generator, freqs: Float[ndarray, " bin"], kind: str = "welch", n_segments: int = 8
) -> Float[ndarray, " bin"]:
    """Multiplicative estimation noise g of an averaged spectrum: mean 1, x = S g, eq. 3.

    Parameters
    ----------
    kind : "welch", "welch_hann" or "soft_clipped"
    n_segments : K >= 1

    Returns
    -------
    positive factor per bin

    Raises
    ------
    ValueError for an unknown kind
    """
    check_intrinsic(kind, n_segments)
    return INTRINSIC[kind](rng, freqs, n_segments)


def check_intrinsic(kind: str, n_segments: float) -> None:
    """Raise ValueError for an unknown kind or a number of segments below one."""
    check_known(INTRINSIC, "intrinsic noise", kind)
    if int(n_segments) != n_segments or n_segments < 1:
        raise ValueError(f"n_segments={n_segments} must be a whole number of averaged segments, at least 1")


def _effective_segments(kind, n_segments):
    """Independent segments that give the same variance; Welch 1967, half-overlapping Hann."""
    if kind == "welch_hann":
        return n_segments / (1 + 2 * (1 - 1 / n_segments) * HANN_OVERLAP_CORRELATION)
    return n_segments


def _soft_clip_moments(freqs):
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    logs = np.log(np.maximum(_soft_clip(nodes[:, None] * np.sqrt(_soft_clip_variance(freqs))), 1e-3))
    mean = weights @ logs / weights.sum()
    return mean, weights @ logs**2 / weights.sum() - mean**2


def log_bias(freqs: Float[ndarray, " bin"], kind: str = "welch", n_segments: int = 8) -> Float[ndarray, " bin"]:
    """E[ln g]: the ln of an averaged spectrum lies below the ln of its mean; welch: digamma(K) - ln K, eq. 6.

    Returns
    -------
    ln units per bin, <= 0; subtract it from a prediction of ln x to obtain ln S
    """
    check_intrinsic(kind, n_segments)
    if kind == "soft_clipped":
        return _soft_clip_moments(freqs)[0]
    segments = _effective_segments(kind, n_segments)
    return np.full(len(freqs), digamma(segments) - np.log(segments))


def log_variance(freqs: Float[ndarray, " bin"], kind: str = "welch", n_segments: int = 8) -> Float[ndarray, " bin"]:
    """Var[ln g]: the floor of a masked mean squared error; welch: trigamma(K), eq. 6. ln units squared, per bin."""
    check_intrinsic(kind, n_segments)
    if kind == "soft_clipped":
        return _soft_clip_moments(freqs)[1]
    return np.full(len(freqs), polygamma(1, _effective_segments(kind, n_segments)))
