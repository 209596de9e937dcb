"""Frequencies, spectra and K as arrays, checked: others are refused with the value, the rule and the fix."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from numpy.typing import ArrayLike

from nblib.measured.welch import mask_as_missing


def check_false_alarm(false_alarm: float) -> None:
    """Raise ValueError for a number of false alarms per line-free spectrum outside (0, 0.5]."""
    if not 0 < false_alarm <= 0.5:
        raise ValueError(f"false_alarm={false_alarm} must lie in (0, 0.5]: false alarms per line-free spectrum")


def checked_spectrum(freqs: ArrayLike, psd: ArrayLike) -> tuple[ndarray, ndarray]:
    """Frequencies and values as float64, NaN where masked; raises ValueError for what is not a spectrum or table."""
    freqs, values = mask_as_missing(freqs), mask_as_missing(psd)
    if np.iscomplexobj(values) or np.iscomplexobj(freqs):
        raise ValueError("psd is complex; give the power spectral density (a cross spectrum has no noise level)")
    freqs, values = freqs.astype(np.float64), values.astype(np.float64)
    if freqs.ndim != 1 or values.ndim not in (1, 2) or values.shape[-1] != len(freqs):
        raise ValueError(f"freqs has shape {freqs.shape} and psd {values.shape}; give as many frequencies as bins")
    if not np.isfinite(freqs).all() or (np.diff(freqs) <= 0).any() or (freqs < 0).any():
        raise ValueError("freqs must be finite, not negative and increasing; sort the bins and drop repeated ones")
    if (values < 0).any():
        raise ValueError(
            f"{int((values < 0).sum())} values of psd are negative; give a power spectral density, not decibels"
        )
    return freqs, values


def measured_bins(psd: Float[ndarray, " bin"], name: str) -> Bool[ndarray, " bin"]:
    """True where a bin holds a measurement; raises ValueError, with the name, where none does."""
    valid = np.isfinite(psd) & (psd > 0)
    if not valid.any():
        raise ValueError(f"{name} has no measured bin: all {len(psd)} values are NaN, infinite or 0; leave it out")
    return valid


def checked_segments(n_segments: ArrayLike | None, *shapes: tuple[int, ...]) -> ndarray | None:
    """K as float64, None where it is not given; shapes : those it may have beside one number; raises ValueError."""
    if n_segments is None:
        return None
    values = np.asarray(n_segments, dtype=np.float64)
    if values.shape not in ((), *shapes) or not np.isfinite(values).all() or (values < 1).any():
        raise ValueError(
            f"n_segments={n_segments} must be at least 1: one number of averages, or numbers of shape "
            f"{' or '.join(map(str, shapes))}"
        )
    return values


def segments_of_rows(n_segments: ArrayLike | None, shape: tuple[int, int]) -> list[ndarray | None]:
    """K of each spectrum of a table, one per bin; None where it is not given; raises ValueError."""
    rows, bins = shape
    values = checked_segments(n_segments, (rows,), (bins,), (rows, 1), shape)
    if values is None:
        return [None] * rows
    if values.shape == (rows,) == (bins,):
        raise ValueError(
            f"n_segments of shape {values.shape} is one per spectrum or one per bin, as psd_table has {rows} of both; "
            f"give shape {(rows, 1)} or {shape}"
        )
    return list(np.broadcast_to(values[:, None] if values.shape == (rows,) else values, shape))
