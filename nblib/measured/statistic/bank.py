"""A bank of matched filters on the whitened residual, each scale turned into a calibrated -ln p.

The residual is in units of the estimator's scatter, so the statistics depend on neither scale nor background.
"""

from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import log_ndtr

from nblib.smoothing import correlator, gaussian

WIDTHS = (0.5, 1.2, 2.5, 5.0, 10.0)  # standard deviation of the Gaussian templates, bins; 0.5 = a single bin
REACH = 3.5  # standard deviations at which a template ends
MIN_SPECTRUM = 25  # a template is used where the spectrum has this many of its standard deviations
ALLOWANCE = 0.04  # of the background: its own shape may differ this much from any smooth curve
CLIP_NARROW, CLIP_BROAD = 10.0, 6.0  # standard deviations: a strong line must not set off broad filters far away
BROAD = 2.0  # bins
OVERFLOW = 40.0  # ln units; exp of more is not needed


@cache
def _template(width):
    """A Gaussian of height 1; a single bin stands for a narrower one. Not to be changed in place."""
    return gaussian(width, REACH) if width >= 1 else np.ones(1)


@cache
def _moments(width):
    """(sum g^2)^3 and (sum g^3)^2: their ratio gives the shape of the Gamma that a response follows, in bins."""
    template = _template(width)
    return (template**2).sum() ** 3, (template**3).sum() ** 2


def _correlator(values, widths):
    """template -> correlation with the values; for a single bin the values themselves."""
    correlate = correlator(values, len(_template(max(widths))))
    return lambda template: correlate(template) if len(template) > 1 else values


def bank_widths(n_bins: int, widths=WIDTHS) -> tuple[float, ...]:
    """The templates that fit into a spectrum."""
    return tuple(width for width in widths if width < 1 or n_bins >= MIN_SPECTRUM * width)


def template_norms(measured: Float[ndarray, " bin"], widths) -> Float[ndarray, "width bin"]:
    """Root of the summed squared template over the measured bins, by width; for scores of many spectra of one grid."""
    summed = _correlator(measured, widths)
    return np.sqrt(np.maximum([summed(_template(width) ** 2) for width in widths], 0.0))


def seen_through(
    values: Float[ndarray, " bin"], widths, norms: Float[ndarray, "width bin"]
) -> Float[ndarray, "width bin"]:
    """What each template at each bin makes of something that lies under the spectrum: sum g v / sum g^2."""
    correlate = _correlator(values, widths)
    return np.array([correlate(_template(width)) for width in widths]) / np.maximum(norms, 1e-3) ** 2


def filter_scores(
    residual: Float[ndarray, " bin"],
    n_segments: Float[ndarray, " bin"],
    measured: Float[ndarray, " bin"],
    correlation: tuple[float, float],
    widths,
    norms: Float[ndarray, "width bin"],
    allowances: Float[ndarray, "width bin"],
) -> Float[ndarray, "width bin"]:
    """How far every template stands out at every bin.

    Parameters
    ----------
    residual : x/S - 1, 0 where a bin is missing
    n_segments : K per bin; one standard deviation is 1/sqrt(K)
    measured : 1 where there is a measurement, else 0
    correlation : of bins one and two apart
    allowances : how far the background itself may be off, of its value, for each template

    Returns
    -------
    standard deviations; log_tail makes scores of them. The Gamma's skewness is taken into account (Wilson and Hilferty
    1931), and the allowance for the background's own shape
    """
    scaled = residual * np.sqrt(n_segments)
    deviations = np.empty((len(widths), len(residual)))
    narrow, broad = (_correlator(np.minimum(scaled, limit), widths) for limit in (CLIP_NARROW, CLIP_BROAD))
    for row, width in enumerate(widths):
        template, norm = _template(width), np.maximum(norms[row], 1e-3)
        single = len(template) == 1
        response = (scaled if single else (narrow if width < BROAD else broad)(template)) / norm
        lags = np.zeros(2) if single else np.exp(-0.25 * np.array([1.0, 4.0]) / width**2)
        variance = 1 + 2 * float(np.dot(lags, correlation))
        # of the Gamma with the response's skewness
        second, third = _moments(width)
        shape = n_segments * second / third / variance
        root, offset, power = np.sqrt(shape), 1 - 1 / (9 * shape), n_segments * norm**2
        deviations[row] = _standardised(response / np.sqrt(variance + allowances[row] ** 2 * power), root, offset)
    deviations[:, measured == 0] = -np.inf
    return deviations


def _standardised(response, root, offset):
    """The normal deviate that is as rare as a standardised Gamma of shape root^2 beyond the response.

    offset : 1 - 1 / (9 shape)
    """
    return 3 * root * (np.cbrt(np.maximum(1 + response / root, 0.0)) - offset)


def log_tail(deviations: Float[ndarray, "*n bin"]) -> Float[ndarray, "*n bin"]:
    """-ln of the chance that a standard normal number is larger."""
    return -log_ndtr(-deviations)
