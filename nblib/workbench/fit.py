"""`fit_spectrum`: corner frequencies of one spectrum, from all of its bins and from those that are kept."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike
from scipy.special import gammaincc

from nblib.measured.result import Detection
from nblib.measured.statistic.scatter import local_segments, lower_spread, neighbour_correlation
from nblib.smoothing import rolling_median
from nblib.workbench.averaging import window_correlation
from nblib.workbench.choice import chosen
from nblib.workbench.description import Description, Spectrum, describe
from nblib.workbench.dropped import kept_bins
from nblib.workbench.estimate import Solution
from nblib.workbench.given import check_enough, check_options, checked, flags_of
from nblib.workbench.result import Fit

FEW_KEPT = 0.5  # of the bins of a decade
GAMMA = (0.5, 1.6)
TRIM_DECADES = 0.15  # widest window
TRIM_MOST = 0.25  # of ln f: what stands out over more of the axis is a model that fails, not external noise
TRIM_NARROW = 8  # bins: the widest window where so much stands out
TRIM_EXCESS = 1.1  # least mean of a window over the model
TRIM_PROBABILITY = 1e-4  # upper tail of a window
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
    n_segments : effective averages K, one number or one per bin; None: measured on the spectrum
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
    check_options(lorentzians, gamma, level)
    given = checked(freqs, psd, n_segments, keep, floor, span)
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
    given: dict[str, Any] = {"n_segments": detection.stated_segments, "keep": kept_bins(detection)}
    return fit_spectrum(detection.freqs, detection.psd, **(given | options))


def _both(given, segments, correlation, lorentzians, gamma, level, unit) -> Fit:
    """The fit of the bins kept and that of all bins; segments, correlation : None where they are to be measured."""
    axis, values, kept, known = given["freqs"], given["psd"], given["keep"], given["floor"]
    measured = np.isfinite(values) & (values > 0) & np.isfinite(known)
    values, known = np.where(measured, values, np.nan), np.where(measured, known, 0.0)
    check_enough(axis, measured & kept)
    warnings: list[str] = []
    unknown, segments = segments is None, np.ones(len(axis)) if segments is None else segments
    spectrum = Spectrum.of(axis, values, segments, known, correlation or (), gamma)
    spectrum, path = _calibrated(spectrum, measured & kept, unknown, correlation, lorentzians, warnings)
    best = of_kept(spectrum, measured & kept, path, lorentzians, level)
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


def _averages(segments, window, overlap):
    """Effective K and the correlation of bins of a window; K as it is and None where neither is given."""
    if window is None and overlap is None:
        return segments, None
    if segments is None:
        raise ValueError("window and overlap correct a number of averages; give n_segments as well")
    share = 0.0 if overlap is None else overlap
    correlation, factor = window_correlation(window or "hann", share, float(np.median(segments)))
    return np.maximum(segments / factor, 1.0), correlation


def _calibrated(spectrum, usable, k_unknown, correlation, lorentzians, warnings):
    """The spectrum with K and the correlation of bins that its scatter shows, and robust fits of it."""
    path = chosen(spectrum.problem(usable, robust=True), lorentzians)
    before = spectrum
    ratio = spectrum.log_ratio(path[0])
    if k_unknown:
        measured_segments = local_segments(ratio[usable])
        segments = np.interp(np.arange(len(usable)), np.flatnonzero(usable), measured_segments)
        warnings.append(f"K is not known; it was measured on the spectrum: {np.median(measured_segments):.3g}")
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
    """Nearly normal scores about their running median: what the model misses over many bins is not scatter."""
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
    correlation = neighbour_correlation(scores, np.diff(index) == 1)
    return tuple(rho for rho in correlation if rho > 0)


def of_kept(
    spectrum: Spectrum, usable: ndarray, path: list[Solution], lorentzians: int | None, level: float
) -> Description:
    """Whittle fit of the bins kept, without what stands out from a robust fit.

    Parameters
    ----------
    usable : (bin,) kept and measured
    path : robust solutions, the chosen one first
    """
    ratio = np.exp(np.clip(spectrum.log_ratio(path[0]), -50, 50))
    out = _standing_out(spectrum, usable, ratio)
    if np.average(out, weights=np.gradient(spectrum.log_freqs)) > TRIM_MOST:
        out = _standing_out(spectrum, usable, ratio, TRIM_NARROW)
    used = usable & ~out
    return describe(spectrum, used, lorentzians, level, tuple(path))


def refitted(fit: Fit, keep: ArrayLike, *, lorentzians: int | None = None, gamma: tuple[float, float] = GAMMA) -> Fit:
    """A fit with other bins kept, K and the dependence of bins as they were; the fit of all bins is not done again.

    For a flag that is switched on or off: a few tenths of a second.

    Parameters
    ----------
    keep : (bin,) of fit.freqs, True = not contaminated
    lorentzians, gamma : as of `fit_spectrum`

    Raises
    ------
    ValueError where too little is kept
    """
    kept = flags_of(keep, fit.freqs.shape)
    usable = kept & fit.all_bins.used
    check_enough(fit.freqs, usable)
    spectrum = Spectrum.of(fit.freqs, fit.psd, fit.n_segments, fit.floor, fit.correlation, gamma)
    path = chosen(spectrum.problem(usable, robust=True), lorentzians)
    measured = fit.all_bins.used
    before = _kept_share(fit.freqs, measured, fit.keep)
    warnings = [words for words in fit.warnings if words not in before] + _kept_share(fit.freqs, measured, kept)
    description = of_kept(spectrum, usable, path, lorentzians, fit.level)
    return replace(fit, keep=usable, kept=description, warnings=tuple(warnings))


def _standing_out(spectrum, usable, ratio, widest=None):
    """True where a window of kept bins lies above the model by more than chance explains; ratio : x/S.

    Windows of 1, 2, 4, ... bins, up to `widest` if given: the tail of a hump is seen over many bins or not at all.
    """
    axis, segments, correlation = spectrum.freqs, spectrum.n_segments, spectrum.correlation
    index = np.flatnonzero(usable)
    weight, power = segments[index], segments[index] * ratio[index]
    sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (weight, power)]
    out = np.zeros(len(axis), dtype=bool)
    for width in 2 ** np.arange(int(np.log2(min(len(index), widest or len(index)))) + 1):
        total, excess = (part[width:] - part[:-width] for part in sums)
        lags = np.arange(1, min(width, len(correlation) + 1))
        dependent = 1 + 2 * sum(correlation[lag - 1] * (1 - lag / width) for lag in lags)
        mean, averages = excess / total, total / dependent
        narrow = axis[index[width - 1 :]] <= axis[index[: len(index) - width + 1]] * 10**TRIM_DECADES
        if not narrow.any():
            break
        high = np.flatnonzero(narrow & (mean > TRIM_EXCESS))
        first = high[gammaincc(averages[high], averages[high] * mean[high]) < TRIM_PROBABILITY]
        covered = np.zeros(len(index) + 1, dtype=int)
        np.add.at(covered, first, 1)
        np.add.at(covered, first + width, -1)
        out[index[np.cumsum(covered)[:-1] > 0]] = True
    return out


def _kept_share(axis, measured, kept):
    """A warning where less than half of a decade's bins is kept."""
    decade = np.floor(np.log10(axis)).astype(int)
    warnings = []
    for number in np.unique(decade):
        inside = measured & (decade == number)
        share = kept[inside].mean() if inside.any() else 1.0
        if share < FEW_KEPT:
            warnings.append(f"{share:.0%} of the bins from {10.0**number:g} to {10.0 ** (number + 1):g} Hz are kept")
    return warnings
