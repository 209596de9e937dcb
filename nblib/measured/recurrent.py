"""Lines that recur in the spectra of one set-up: flagged on their average, each over its own background.

Spectrum i over its background, r_i = x_i / S_i, is Gamma distributed with mean 1 and variance 1/K_i where no line
stands, whatever its level and shape. It is cut off at a_i = 1 + CLIP / sqrt(K_i), so that a line in one spectrum cannot
carry the average, and divided by what is then its mean,

    m_i = P(K_i + 1, K_i a_i) + a_i Q(K_i, K_i a_i),

with P and Q the regularised incomplete Gamma functions. The average with weights K_i has the variance
sum K_i^2 v_i / (sum K_i)^2, v_i that of the cut and scaled r_i, as if (sum K_i)^2 / sum (K_i^2 v_i) segments had been
averaged: about N K for N spectra of K averages. On top come the errors of the backgrounds. What differs from spectrum
to spectrum is averaged as the spectra are; what all have in common, as their structure recurs, is not. So the average
is judged as any measured spectrum is: against a background of its own, with K as it scatters where that is smaller, and
at thresholds that were drawn on spectra whose backgrounds no smooth curve follows. Those thresholds are high, because
of structure; and structure is not sharp: where it sets off the filters of lines it sets off the broad ones as well. So
a bin whose broad score is at most SHARP of its narrow one has a threshold of its own, drawn from line-free averages
(evidence/benchmarks/together.py). Each of the two ways is asked for half of the false alarms.

A range is recurrent where it is still flagged when the spectrum that contributes most to it is left out: what stands in
one spectrum alone is not.

References
----------
Benjamini and Heller 2008, Biometrics 64, 1215, for hypotheses about at least two of several.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.special import gammainc, gammaincc

from nblib.measured.causes import with_causes
from nblib.measured.common_grid import Bins, averaged_into, common_bins
from nblib.measured.detector import NoiseDetector
from nblib.measured.flags import describe, flagged_ranges
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.measured.scored import ScoredSpectrum
from nblib.measured.sources.known import KnownLine
from nblib.measured.statistic.thresholds import Thresholds
from nblib.measured.statistic.whitening import MIN_BINS
from nblib.project.registry import refuse_if

CLIP = 6.0  # standard deviations of one spectrum, that it counts at most in the average
SHARP = 0.5  # of the narrow score, that the broad one may have beside a sharp line
LEVEL_BINS = 1000  # of the averages that LEVELS were drawn from
LEVEL_SPECTRA = (3, 10)  # in an average; between them interpolated in ln N, beyond as at the end
LEVELS: dict[str, tuple[tuple[float, ...], ...]] = {  # by statistic and spectra: narrow scores of sharp bins at RATES
    "classical": ((6.3, 7.4, 8.2, 9.4, 11.0, 12.2, 13.0), (5.5, 6.7, 7.5, 8.4, 9.0, 9.7, 10.4)),
    "combined": ((0.4, 1.8, 3.0, 4.1, 5.9, 7.5, 10.2), (0.0, 1.3, 2.6, 3.5, 5.1, 7.5, 8.3)),
}
FEWEST = 2  # spectra that must hold a frequency
BESIDE = 1  # bins beside a range, that its flag may have moved by when a spectrum is left out
COARSEST = "the spectra have several grids: their powers are averaged into the coarsest bins at each frequency"


@dataclass(frozen=True, eq=False)
class OverBackground:
    """One spectrum over its own background.

    Attributes
    ----------
    freqs : Hz
    ratio : power over background, NaN where missing
    n_segments : K of each bin, as used
    ranges : first and last frequency of each of its own flags, Hz
    sampling_rate : Hz, of the time series behind it, or None
    known : lines that the user knows
    """

    freqs: Float[ndarray, " bin"]
    ratio: Float[ndarray, " bin"]
    n_segments: Float[ndarray, " bin"]
    ranges: tuple[tuple[float, float], ...] = ()
    sampling_rate: float | None = None
    known: tuple[KnownLine, ...] = ()


@dataclass(frozen=True, eq=False)
class Recurrent:
    """What the spectra of one set-up have in common.

    Attributes
    ----------
    measured, detection : the average over the backgrounds, and its flags: those that recur
    n_spectra : that were averaged
    averaged : spectra behind each flag
    alone : of them, spectra in which it is flagged by itself
    """

    measured: Measurement
    detection: Detection
    n_spectra: int
    averaged: tuple[int, ...]
    alone: tuple[int, ...]


def over_background(measured: Measurement, detection: Detection) -> OverBackground:
    """A spectrum and its flags as all together need it."""
    return OverBackground(
        measured.freqs,
        measured.psd / np.exp(detection.background),
        detection.bin_segments,
        tuple((flag.fmin, flag.fmax) for flag in detection.flags),
        measured.sampling_rate,
        measured.known,
    )


def clipped(
    ratio: Float[ndarray, " bin"], n_segments: Float[ndarray, " bin"], clip: float = CLIP
) -> tuple[Float[ndarray, " bin"], Float[ndarray, " bin"]]:
    """Power over background cut off at 1 + clip / sqrt(K), over its mean where no line stands, and its variance there.

    Parameters
    ----------
    ratio : NaN where missing
    n_segments : K, above 0 where the ratio is there
    clip : standard deviations; infinite cuts nothing
    """
    segments = np.where(np.isfinite(ratio), n_segments, 1.0)
    if np.isinf(clip):
        return ratio, 1 / segments
    limit = 1 + clip / np.sqrt(segments)
    above = gammaincc(segments, segments * limit)
    mean = gammainc(segments + 1, segments * limit) + limit * above
    square = (1 + 1 / segments) * gammainc(segments + 2, segments * limit) + limit**2 * above
    return np.minimum(ratio, limit) / mean, square / mean**2 - 1


class Stack:
    """The spectra of one set-up on one axis, and their average with or without one of them.

    Attributes
    ----------
    bins : the axis
    ratio, weight, variance : (spectrum, bin), clipped power over background, K, and the variance of the first; a weight
        of 0 where a spectrum has no measurement
    covering : (bin,) spectra that hold each bin
    is_mixed : have the spectra several grids

    Parameters
    ----------
    clip : as of `clipped`
    """

    def __init__(self, spectra: Sequence[OverBackground], clip: float = CLIP):
        self.bins: Bins = common_bins([one.freqs for one in spectra])
        self.ratio = np.empty((len(spectra), len(self.bins.centre)))
        self.weight, self.variance = np.empty_like(self.ratio), np.empty_like(self.ratio)
        for row, one in enumerate(spectra):
            ratio, segments = averaged_into(self.bins, one.freqs, one.ratio, one.n_segments)
            ratio, self.variance[row] = clipped(ratio, segments, clip)
            self.ratio[row], self.weight[row] = np.nan_to_num(ratio), segments
        self.covering = (self.weight > 0).sum(axis=0)
        self.is_mixed = any(len(one.freqs) != len(self.bins.centre) for one in spectra)

    def average(self, without: int | None = None) -> tuple[Float[ndarray, " bin"], Float[ndarray, " bin"]]:
        """Average over the backgrounds and its effective K, on bins; NaN and 1 where fewer than two are left.

        Parameters
        ----------
        without : number of a spectrum that is left out
        """
        weight = self.weight.copy()
        if without is not None:
            weight[without] = 0.0
        total = weight.sum(axis=0)
        there = (self.covering >= FEWEST) & (total > 0)
        total = np.where(there, total, 1.0)
        mean = (weight * self.ratio).sum(axis=0) / total
        variance = (weight**2 * self.variance).sum(axis=0) / total**2
        return np.where(there, mean, np.nan), np.where(there, 1 / np.maximum(variance, 1e-30), 1.0)

    def strongest(self, inside: Bool[ndarray, " bin"]) -> int:
        """Number of the spectrum that contributes most to some bins of the average."""
        return int((self.weight * (self.ratio - 1))[:, inside].sum(axis=1).argmax())


def sharp_bins(one: ScoredSpectrum) -> Bool[ndarray, " bin"]:
    """True where a narrow filter stands out so far beyond the broad ones that structure does not explain it."""
    narrow, broad = one.scored.white.by_group
    return broad <= SHARP * narrow


def sharp_limit(one: ScoredSpectrum, n_spectra: int) -> Thresholds:
    """Thresholds of the narrow score of sharp bins in an average of so many spectra."""
    levels = LEVELS["combined" if one.scored.combined else "classical"]
    share = np.interp(np.log(n_spectra), np.log(LEVEL_SPECTRA), (0.0, 1.0))
    return Thresholds(tuple((1 - share) * np.array(levels[0]) + share * np.array(levels[1])), LEVEL_BINS)


def flagged_average(
    freqs: Float[ndarray, " bin"],
    mean: Float[ndarray, " bin"],
    n_segments: Float[ndarray, " bin"],
    n_spectra: int,
    detector: NoiseDetector,
    false_alarm: float,
) -> Detection:
    """An average and its flags, without their causes: sharp lines, and what is flagged in any measured spectrum."""
    one = detector.score(freqs, mean, n_segments)
    usual, limit, white = one.at(false_alarm / 2), sharp_limit(one, n_spectra), one.scored.white
    sharp, narrow = sharp_bins(one), one.scored.by_group[0]
    n_judged, threshold = one.scored.n_judged, limit.threshold(false_alarm / 2, one.scored.n_judged)
    excess = np.expm1(np.minimum(white.log_psd - white.background, 700.0))
    scores = np.where(sharp | np.isnan(narrow), narrow, -np.inf)
    ranges = flagged_ranges(scores, white.widths[0], excess, 1 / np.sqrt(white.n_segments), threshold)
    chance = np.where(sharp, limit.probability(narrow, n_judged), 1.0)
    probabilities = np.minimum(1.0, 2 * np.fmin(usual.probabilities, np.where(np.isnan(narrow), np.nan, chance)))
    flagged, new = usual.flagged.copy(), []
    for low, high in ranges:
        if not usual.flagged[low : high + 1].any():
            flagged[low : high + 1] = np.isfinite(white.log_psd[low : high + 1])
            new.append((low, high))
    detection = dataclasses.replace(
        usual,
        probabilities=probabilities,
        false_alarm=false_alarm,
        flagged=flagged,
        background=one.background_without(flagged) if new else usual.background,
        warnings=one.at(false_alarm).warnings,
    )
    flags = [*usual.flags, *describe(new, freqs, white.log_psd, detection.background, probabilities)]
    return dataclasses.replace(detection, flags=sorted(flags, key=lambda flag: flag.fmin))


def recurrent_lines(
    spectra: Sequence[OverBackground], detector: NoiseDetector, false_alarm: float, clip: float = CLIP
) -> Recurrent:
    """What recurs in the spectra of one set-up.

    Parameters
    ----------
    spectra : at least two
    detector : what flags the average
    false_alarm : expected false alarms of an average without recurrent lines, in (0, 0.5]
    clip : as of `clipped`

    Raises
    ------
    ValueError for fewer than two spectra, and where they have too few bins in common
    """
    count = f"{len(spectra) or 'none'} {'were' if len(spectra) > 1 else 'was'} read"
    refuse_if(len(spectra) < FEWEST, f"together=True needs two spectra or more of one set-up; {count}")
    stack = Stack(spectra, clip)
    freqs = stack.bins.centre
    mean, segments = stack.average()
    n_common = int(np.isfinite(mean).sum())
    refuse_if(
        n_common < MIN_BINS,
        f"together=True needs {MIN_BINS} bins that two spectra have in common; {n_common} are: leave out files with "
        "other frequencies",
    )
    detection = _still_there(
        stack, flagged_average(freqs, mean, segments, len(spectra), detector, false_alarm), detector
    )
    rates = {one.sampling_rate for one in spectra}
    detection = with_causes(detection, rates.pop() if len(rates) == 1 else None, spectra[0].known)
    averaged = tuple(int(stack.covering[_inside(freqs, flag)].max()) for flag in detection.flags)
    alone = tuple(
        sum(any(low <= flag.fmax and high >= flag.fmin for low, high in one.ranges) for one in spectra)
        for flag in detection.flags
    )
    flags = [
        dataclasses.replace(flag, cause=f"recurrent, average of {count} spectra: {flag.cause}")
        for flag, count in zip(detection.flags, averaged, strict=True)
    ]
    measured = Measurement(
        f"{len(spectra)} spectra together",
        "together",
        freqs,
        mean,
        "times the background",
        float(np.median(segments[np.isfinite(mean)])),
        warnings=(COARSEST,) if stack.is_mixed else (),
    )
    return Recurrent(measured, dataclasses.replace(detection, flags=flags), len(spectra), averaged, alone)


def _inside(freqs, flag):
    return (freqs >= flag.fmin) & (freqs <= flag.fmax)


def _still_there(stack: "Stack", detection: Detection, detector) -> Detection:
    """The detection with the flags that stay when the spectrum which contributes most to them is left out."""
    freqs, without = detection.freqs, dict[int, ndarray]()
    kept, flagged = [], np.zeros(len(freqs), dtype=bool)
    for flag in with_causes(detection).flags:  # a range of several lines is cut
        inside = _inside(freqs, flag)
        left_out = stack.strongest(inside)
        if left_out not in without:
            left = flagged_average(
                freqs, *stack.average(left_out), len(stack.ratio) - 1, detector, detection.false_alarm
            )
            without[left_out] = left.flagged
        near = np.convolve(inside, np.ones(2 * BESIDE + 1), "same") > 0
        if (without[left_out] & near).any():
            kept.append(flag)
            flagged |= inside & np.isfinite(detection.psd)
    return dataclasses.replace(detection, flags=kept, flagged=flagged)
