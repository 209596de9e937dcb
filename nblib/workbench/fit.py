"""`fit_spectrum`: corner frequencies of one spectrum, from all of its bins and from those that are kept."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincc

from nblib.measured.result import Detection
from nblib.measured.statistic.scatter import local_segments, lower_spread, neighbour_correlation
from nblib.smoothing import rolling_median
from nblib.workbench.averaging import window_correlation
from nblib.workbench.choice import chosen
from nblib.workbench.description import Spectrum, Weights, describe
from nblib.workbench.dropped import kept_bins
from nblib.workbench.leftover import clean_probability, information_share
from nblib.workbench.result import Fit

MIN_CELLS, MIN_DECADES = 30, 1.0  # kept
FEW_KEPT = 0.5  # of the bins of a decade
GAMMA = (0.5, 1.6)
TRIM_WIDTHS = (1, 2, 4, 8)  # bins
TRIM_DECADES = 0.15  # widest window
TRIM_EXCESS = 1.1  # least mean of a window over the model
TRIM_PROBABILITY = 1e-3  # upper tail of a window
LOCAL = 51  # bins of a running median
WILDER = 4.0  # standard errors by which the bins must scatter more than K says
SPREAD_ERROR = 1.6  # of a lower spread, times the root of the number of bins


def fit_spectrum(
    freqs: ArrayLike,
    psd: ArrayLike,
    n_segments: ArrayLike | None = None,
    keep: ArrayLike | None = None,
    *,
    floor: ArrayLike | None = None,
    lorentzians: int | None = None,
    gamma: tuple[float, float] = GAMMA,
    span: tuple[float, float] | None = None,
    window: str | None = None,
    overlap: float | None = None,
    level: float = 0.95,
    unit: str | None = None,
) -> Fit:
    """S(f) = A f^-gamma + sum_i a_i / (1 + (f/f_i)^2) + C, from all bins and from the bins kept, side by side.

    The bins kept are fitted robustly, what still stands out is trimmed once, and Whittle's likelihood of the rest gives
    the numbers. "All bins" is Whittle's likelihood without flags and without trimming. docs/fit.md explains each step.

    Parameters
    ----------
    freqs : (bin,) Hz, in any order; a bin at 0 Hz is left out
    psd : (bin,) unit^2/Hz, any scale; NaN, 0 or infinite where a bin is missing
    n_segments : effective averages K, one number or one a bin; None: measured on the spectrum
    keep : (bin,) True = not contaminated; all if None. `~detection.flagged` of a Detection
    floor : (bin,) measured floor of the instrument, unit^2/Hz, a known part of the model; NaN where it is not known
    lorentzians : their number, 0 or more; None: chosen by the deviance that each saves
    gamma : lowest and highest exponent of the power law
    span : lowest and highest frequency used, Hz
    window, overlap : of the segments, overlap as their share; n_segments is then the number that was averaged
    level : of the intervals, in (0, 1)
    unit : of psd, for tables and figures

    Raises
    ------
    ValueError that names the value, the rule and the fix

    References
    ----------
    P. Whittle 1953, see docs/method.md; docs/fit.md
    """
    _check_options(lorentzians, gamma, level)
    given = _checked(freqs, psd, n_segments, keep, floor, span)
    segments, correlation = _averages(given["n_segments"], window, overlap)
    return _both(given, segments, correlation, lorentzians, gamma, level, unit)


def fit_detection(detection: Detection, **options: Any) -> Fit:
    """`fit_spectrum` of a detection's spectrum: flagged bins and harmonics of combs dropped, its K where stated.

    Parameters
    ----------
    options : of `fit_spectrum`, in place of what the detection says

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """
    known = np.isfinite(detection.bin_segments)
    stated = None
    if known.any() and not detection.estimated:
        bins = np.arange(len(known))
        stated = np.interp(bins, bins[known], detection.bin_segments[known])
    given = {"n_segments": stated, "keep": kept_bins(detection)}
    return fit_spectrum(detection.freqs, detection.psd, **(given | options))


def _both(given, segments, correlation, lorentzians, gamma, level, unit) -> Fit:
    """The fit of the bins kept and that of all bins; segments, correlation : None where they are to be measured."""
    axis, values, kept, known = given["freqs"], given["psd"], given["keep"], given["floor"]
    measured = np.isfinite(values) & (values > 0) & np.isfinite(known)
    values, known = np.where(measured, values, np.nan), np.where(measured, known, 0.0)
    _check_enough(axis, measured & kept)
    warnings: list[str] = []
    spectrum = Spectrum(
        axis,
        values,
        np.ones(len(axis)) if segments is None else segments,
        known,
        correlation or (),
        gamma,
        float(np.log(axis[0] * axis[-1]) / 2),
        float(np.median(np.log(values[measured]))),
    )
    spectrum, path = _calibrated(spectrum, measured & kept, segments is None, correlation, lorentzians, warnings)
    ratio = np.exp(np.clip(spectrum.log_ratio(path[0]), -50, 50))
    used = measured & kept & ~_standing_out(spectrum, measured & kept, ratio)
    best = describe(spectrum, used, lorentzians, level, tuple(path), _weights(spectrum, used, ratio))
    every = describe(spectrum, measured, lorentzians, level)
    warnings += _kept_share(axis, measured, kept)
    return Fit(
        axis,
        values,
        known,
        kept & measured,
        spectrum.n_segments,
        spectrum.correlation,
        best,
        every,
        level,
        unit,
        tuple(warnings),
    )


def _check_options(lorentzians, gamma, level):
    if lorentzians is not None and (int(lorentzians) != lorentzians or not 0 <= lorentzians <= 8):
        raise ValueError(f"lorentzians={lorentzians} must be a whole number from 0 to 8, or None to have it chosen")
    if not 0 <= gamma[0] < gamma[1] <= 4:
        raise ValueError(f"gamma={gamma} must be a lowest and a highest exponent, 0 <= lowest < highest <= 4")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, such as 0.95")


def _checked(freqs, psd, n_segments, keep, floor, span):
    """What was given as arrays by frequency; K None where it is not known."""
    axis, values = np.asarray(freqs, np.float64), np.asarray(psd)
    if np.iscomplexobj(values):
        raise ValueError("psd is complex; give the power spectral density")
    values = values.astype(np.float64)
    if axis.ndim != 1 or axis.shape != values.shape:
        raise ValueError(f"freqs has shape {axis.shape} and psd {values.shape}; give one spectrum, (bin,) each")
    if not np.isfinite(axis).all() or (axis < 0).any():
        raise ValueError("freqs must be finite and not negative, in Hz")
    if (values < 0).any():
        raise ValueError(
            f"{int((values < 0).sum())} values of psd are negative: decibels, or a floor that was subtracted? The "
            "scatter of a difference is not that of an average; give the spectrum as measured, and the floor as floor"
        )
    inside = axis > 0
    if span is not None:
        if not 0 <= span[0] < span[1]:
            raise ValueError(f"span={span} must be a lowest and a highest frequency in Hz, lowest < highest")
        inside &= (axis >= span[0]) & (axis <= span[1])
    order = np.flatnonzero(inside)[np.argsort(axis[inside], kind="stable")]
    segments = None if n_segments is None else _a_bin("n_segments", n_segments, axis.shape, 1.0)[order]
    return {
        "freqs": axis[order],
        "psd": values[order],
        "keep": _flags(keep, axis.shape)[order],
        "n_segments": segments,
        "floor": _a_bin("floor", 0.0 if floor is None else floor, axis.shape, 0.0)[order],
    }


def _flags(keep, shape):
    kept = np.ones(shape, bool) if keep is None else np.asarray(keep)
    if kept.shape != shape or kept.dtype != bool:
        raise ValueError(
            f"keep has shape {kept.shape} and type {kept.dtype}; give True or False for each of {shape[0]} bins"
        )
    return kept


def _a_bin(name, given, shape, lowest):
    values = np.asarray(given, np.float64)
    bad = values.shape not in ((), shape) or np.isinf(values).any() or (values < lowest).any()
    if bad or (name == "n_segments" and np.isnan(values).any()):
        raise ValueError(f"{name}={given} must be at least {lowest:g}: one number, or one for each of {shape[0]} bins")
    return np.broadcast_to(values, shape)


def _averages(segments, window, overlap):
    """Effective K and the correlation of bins of a window; K as it is and None where neither is given."""
    if window is None and overlap is None:
        return segments, None
    if segments is None:
        raise ValueError("window and overlap correct a number of averages; give n_segments as well")
    share = 0.0 if overlap is None else overlap
    correlation, factor = window_correlation(window or "hann", share, float(np.median(segments)))
    return np.maximum(segments / factor, 1.0), correlation


def _check_enough(axis, used):
    if not used.any():
        raise ValueError(f"no measured bin is kept; at least {MIN_CELLS} are needed")
    lowest, highest = axis[used][0], axis[used][-1]
    decades = np.log10(highest / lowest)
    if decades < MIN_DECADES:
        raise ValueError(
            f"the bins kept reach from {lowest:g} to {highest:g} Hz, {decades:.2g} decades; at least "
            "one is needed for a corner"
        )
    n_cells = len(np.unique(np.floor(50 * np.log10(axis[used] / axis[0]) + 1e-6)))
    if n_cells < MIN_CELLS:
        raise ValueError(
            f"{n_cells} cells of 50 a decade hold a bin that is kept; at least {MIN_CELLS} are needed: use a finer "
            "frequency resolution or drop less"
        )


def _calibrated(spectrum, usable, k_unknown, correlation, lorentzians, warnings):
    """The spectrum with K and the correlation of bins that its scatter shows, and robust fits of it."""
    path = chosen(spectrum.problem(usable, robust=True), lorentzians)
    before = spectrum
    ratio = spectrum.log_ratio(path[0])
    if k_unknown:
        found = local_segments(ratio[usable])
        segments = np.interp(np.arange(len(usable)), np.flatnonzero(usable), found)
        warnings.append(f"K is not known; it was measured on the spectrum: {np.median(found):.3g}")
    else:
        segments = _scatter_believed(ratio[usable], spectrum.n_segments, usable, warnings)
    spectrum = replace(spectrum, n_segments=segments)
    if correlation is None:
        spectrum = replace(spectrum, correlation=_correlation(ratio, segments, usable))
    if spectrum.correlation != before.correlation or segments is not before.n_segments:
        path = chosen(spectrum.problem(usable, robust=True), lorentzians)
    return spectrum, path


def _normal(log_ratio, segments):
    """Nearly normal scores of x/S of K averages (Wilson and Hilferty)."""
    return 3 * np.sqrt(segments) * (np.exp(np.clip(log_ratio, -50, 50) / 3) - 1 + 1 / (9 * segments))


def _local_scores(log_ratio, segments):
    """Nearly normal scores about their running median: what the model misses over many bins is no scatter."""
    scores = _normal(log_ratio, segments)
    return scores - rolling_median(scores, LOCAL)


def _scatter_believed(log_ratio, segments, usable, warnings):
    """K, smaller where the bins scatter more than it says: averages that overlap are not independent."""
    spread = lower_spread(_local_scores(log_ratio, segments[usable])) ** 2
    if spread < 1 + WILDER * 2 * SPREAD_ERROR / np.sqrt(len(log_ratio)):
        return segments
    segments = np.maximum(segments / spread, 0.5)
    warnings.append(
        f"the bins scatter more than K says; {np.median(segments):.3g} was used. Averages that overlap count less: "
        "give window and overlap"
    )
    return segments


def _correlation(log_ratio, segments, usable) -> tuple[float, ...]:
    index = np.flatnonzero(usable)
    scores = _local_scores(log_ratio[index], segments[index])
    found = neighbour_correlation(scores, np.diff(index) == 1)
    return tuple(rho for rho in found if rho > 0)


def _weights(spectrum, used, ratio) -> Weights:
    """How much each bin used counts; ratio : x/S."""
    bounded = np.where(used, ratio, 1.0)
    clean = clean_probability(bounded, spectrum.n_segments, used)
    return Weights(clean, information_share(clean, bounded, spectrum.n_segments))


def _standing_out(spectrum, usable, ratio):
    """True where a window of kept bins lies above the model by more than chance explains; ratio : x/S."""
    axis, segments, correlation = spectrum.freqs, spectrum.n_segments, spectrum.correlation
    index = np.flatnonzero(usable)
    weight, power = segments[index], segments[index] * ratio[index]
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (weight, power)]
    out = np.zeros(len(axis), dtype=bool)
    for width in TRIM_WIDTHS:
        if width > len(index):
            break
        total, excess = (part[width:] - part[:-width] for part in sums)
        lags = np.arange(1, min(width, len(correlation) + 1))
        dependent = 1 + 2 * sum(correlation[lag - 1] * (1 - lag / width) for lag in lags)
        mean, averages = excess / total, total / dependent
        narrow = axis[index[width - 1 :]] <= axis[index[: len(index) - width + 1]] * 10**TRIM_DECADES
        tail = gammaincc(averages, averages * mean)
        for first in np.flatnonzero(narrow & (mean > TRIM_EXCESS) & (tail < TRIM_PROBABILITY)):
            out[index[first : first + width]] = True
    return out


def _kept_share(axis, measured, kept):
    """A warning where less than half of a decade's bins is kept."""
    decade = np.floor(np.log10(axis)).astype(int)
    found = []
    for number in np.unique(decade):
        inside = measured & (decade == number)
        share = kept[inside].mean() if inside.any() else 1.0
        if share < FEW_KEPT:
            found.append(f"{share:.0%} of the bins from {10.0**number:g} to {10.0 ** (number + 1):g} Hz are kept")
    return found
