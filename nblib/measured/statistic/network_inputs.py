"""What the network for unknown backgrounds sees of a spectrum: what experts look at, per bin. Needs no torch.

The spectrum whitened by running medians of several windows in units of the estimator's scatter, responses of a small
filter bank, and the plain level. A factor on the spectrum changes nothing, missing bins are masked.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.cells import WIDE_CELL
from nblib.measured.statistic.background import median
from nblib.measured.statistic.scatter import local_segments
from nblib.smoothing import correlator, gaussian, log_median, mirrored_median, rolling_median

NARROW_WINDOW, BROAD_WINDOW = 101, 401  # bins of the running medians
BROAD_FILTERS = (2.0, 6.0, 20.0, 60.0)  # Gaussian standard deviations on the broad residual, bins
NARROW_FILTER = 3.0  # on the narrow residual
COARSE_SHARE = 3  # the coarsest background is a running median over this part of the axis
CLIP = 30.0  # standard deviations: a strong line must not fill broad filters far away
LARGEST = 1e18  # standard deviations; its square is finite in single precision
CHANNELS = 12


def network_inputs(
    freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, " bin"],
    valid: Bool[ndarray, " bin"],
    n_segments: float | Float[ndarray, " bin"] | None = None,
) -> Float[ndarray, "channel bin"]:
    """What the network sees of one spectrum: 12 channels per bin, float32, the same for any factor on the spectrum.

    Parameters
    ----------
    psd : unit^2/Hz, only valid bins are read
    n_segments : K, one number or one per bin; None: measured on the residual's lower half, which lines do not reach

    Raises
    ------
    ValueError for fewer than 30 measured bins
    """
    if valid.sum() < 30:
        raise ValueError(f"{int(valid.sum())} measured bins; at least 30 are needed: use a finer frequency resolution")
    index, bins = np.flatnonzero(valid), np.arange(len(psd))
    log_psd = np.interp(bins, index, np.log(psd[index]))  # missing bins between their neighbours
    narrow, broad = (log_psd - _background(log_psd, window) for window in (NARROW_WINDOW, BROAD_WINDOW))
    coarse = log_psd - _coarse_median(log_psd)
    if n_segments is None:
        n_segments = np.interp(bins, index, np.maximum(local_segments(narrow[index]), 1.0))
    segments = np.broadcast_to(np.asarray(n_segments, dtype=np.float64), log_psd.shape)
    root, middle = np.sqrt(segments), log_median(segments)
    z_narrow, z_broad, z_coarse = (
        np.where(valid, np.expm1(np.minimum(part + middle, 40.0)) * root, 0.0) for part in (narrow, broad, coarse)
    )
    responses = _responses(z_broad, BROAD_FILTERS) + _responses(z_narrow, (NARROW_FILTER,))
    level = rolling_median(log_psd[::3], 11)
    log_step = np.log(np.gradient(np.log(np.maximum(freqs, freqs[freqs > 0].min() / 2))))
    channels = [_compressed(part) / 3 for part in (z_narrow, z_broad, z_coarse, *responses)]
    channels.append((np.interp(bins, bins[::3], level) - median(log_psd[index])) / 4)
    channels.append(0.25 * np.log(segments) - 1)
    channels.append(0.2 * log_step + 1)
    channels.append(valid.astype(np.float64))
    return np.stack(channels).astype(np.float32)


def _compressed(values):
    """arcsinh in single precision, by a logarithm, which numpy has a fast one of."""
    size = np.minimum(np.abs(values), LARGEST).astype(np.float32)
    return np.copysign(np.log(size + np.sqrt(size * size + 1)), values)


def _background(values, window):
    """Running median, mirrored beyond the ends through the median of three bins.

    Kept apart from the detector's own background: the weights were trained with these inputs.
    """
    return mirrored_median(values, window, median(values[:3]), median(values[-3:]))


def _coarse_median(log_psd):
    """Median over a third of the axis, of block medians, so that it costs little."""
    n_blocks = len(log_psd) // WIDE_CELL
    blocks = np.median(log_psd[: n_blocks * WIDE_CELL].reshape(n_blocks, WIDE_CELL), axis=1)
    smooth = _background(blocks, max(2 * (n_blocks // COARSE_SHARE // 2) + 1, 3))
    return np.interp(np.arange(len(log_psd)), (np.arange(n_blocks) + 0.5) * WIDE_CELL, smooth)


def _responses(residual, widths):
    """Responses of unit-variance Gaussian filters, cut off at 3 standard deviations; the ends go on as they are."""
    templates = [gaussian(width, 3.0) for width in widths]
    reach = max(len(template) for template in templates) // 2
    correlate = correlator(np.pad(np.clip(residual, -CLIP, CLIP), reach, mode="edge"), 1)  # the padding may be wrong
    gains = [np.sqrt(2 * width * np.sqrt(np.pi)) for width in widths]
    pairs = zip(templates, gains, strict=True)
    return [correlate(row * (gain / row.sum()))[reach : reach + len(residual)] for row, gain in pairs]
