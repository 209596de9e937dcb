"""A bank of matched filters on the whitened residual, each scale turned into a calibrated -ln p.

The residual is in units of the estimator's scatter, so the statistics know neither scale nor background.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import log_ndtr

WIDTHS = (0.5, 1.2, 2.5, 5.0, 10.0)  # standard deviation of the Gaussian templates, bins; 0.5 = a single bin
MIN_SPECTRUM = 25  # a template is used where the spectrum has this many of its standard deviations
ALLOWANCE = 0.04  # of the background: its own shape may differ this much from any smooth curve
CLIP_NARROW, CLIP_BROAD = 10.0, 6.0  # standard deviations: a strong line must not set off broad filters far away
BROAD = 2.0  # bins
OVERFLOW = 40.0  # ln units; exp of more is not needed


@lru_cache(maxsize=256)
def _template(width, n_bins):
    """Half length, transform size, and transforms of a unit-height template and of its square; its sums."""
    half = 0 if width < 1 else int(np.ceil(3.5 * width))
    shape = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    size = next_fast_len(n_bins + 2 * half, real=True)
    return half, size, rfft(shape, size), rfft(shape**2, size), (shape**2).sum(), (shape**3).sum()


def _correlate(values, width, squared=False):
    half, size, plain, square, _, _ = _template(width, len(values))
    if not half:
        return values
    return irfft(rfft(values, size) * (square if squared else plain), size)[half : half + len(values)]


def bank_widths(n_bins: int, widths=WIDTHS) -> tuple[float, ...]:
    """The templates that fit into a spectrum."""
    return tuple(width for width in widths if width < 1 or n_bins >= MIN_SPECTRUM * width)


def template_norms(measured: Float[ndarray, " bin"], widths) -> Float[ndarray, "width bin"]:
    """Root of the summed squared template over the measured bins, by width; for scores of many spectra of one grid."""
    return np.stack([np.sqrt(np.maximum(_correlate(measured, width, squared=True), 0.0)) for width in widths])


def filter_scores(
    residual: Float[ndarray, " bin"],
    n_segments: Float[ndarray, " bin"],
    measured: Float[ndarray, " bin"],
    correlation: tuple[float, float],
    widths,
    norms: Float[ndarray, "width bin"],
    allowances: list,
) -> tuple[Float[ndarray, "width bin"], Float[ndarray, "width bin"]]:
    """How far every template stands out at every bin.

    Parameters
    ----------
    residual : x/S - 1, 0 where a bin is missing
    n_segments : K per bin; one standard deviation is 1/sqrt(K)
    measured : 1 where there is a measurement, else 0
    correlation : of bins one and two apart
    allowances : two, strict and lenient: how far the background itself may be off, of its value, per bin

    Returns
    -------
    standard deviations with the strict one, and with the lenient one; log_tail makes scores of them. The Gamma's
    skewness is taken into account (Wilson and Hilferty 1931), and the allowance for the background's own shape
    """
    scaled = residual * np.sqrt(n_segments)
    strict, lenient = np.empty((2, len(widths), len(residual)))
    for row, width in enumerate(widths):
        limit = np.inf if width < 1 else (CLIP_NARROW if width < BROAD else CLIP_BROAD)
        half, _, _, _, squares, cubes = _template(width, len(residual))
        norm = np.maximum(norms[row], 1e-3)
        response = _correlate(np.minimum(scaled, limit), width) / norm
        lags = np.exp(-0.25 * np.array([1.0, 4.0]) / width**2) if half else np.zeros(2)
        variance = 1 + 2 * float(np.dot(lags, correlation))
        shape = n_segments * squares**3 / cubes**2 / variance  # of the Gamma with the response's skewness
        root, offset, power = np.sqrt(shape), 1 - 1 / (9 * shape), n_segments * norm**2
        for deviations, allowance in zip((strict, lenient), allowances, strict=True):
            deviations[row] = _standardised(response / np.sqrt(variance + allowance**2 * power), root, offset)
    missing = measured == 0
    strict[:, missing], lenient[:, missing] = -np.inf, -np.inf
    return strict, lenient


def _standardised(response, root, offset):
    """The normal deviate that is as rare as a standardised Gamma of shape root^2 beyond the response.

    offset : 1 - 1 / (9 shape)
    """
    return 3 * root * (np.cbrt(np.maximum(1 + response / root, 0.0)) - offset)


def log_tail(deviations: Float[ndarray, "*n bin"]) -> Float[ndarray, "*n bin"]:
    """-ln of the chance that a standard normal number is larger."""
    return -log_ndtr(-deviations)
