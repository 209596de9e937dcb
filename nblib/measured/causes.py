"""Likely sources of a detection's flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from nblib.measured.flags import JOIN, LINE_BINS, Flag
from nblib.measured.sources.known import KnownLine
from nblib.measured.sources.lines import describe_range
from nblib.measured.sources.names import likely_sources

if TYPE_CHECKING:  # the detector names causes itself
    from nblib.measured.result import Detection

VALLEY = 0.5  # of the lower of two peaks' ln excess; a deeper valley between them makes two lines of one range
PEAK = 4.0  # standard deviations of ln x that a peak beside another must have over the valley
FINE = 2.5  # Hz; in wider bins a line near mains says nothing
DOMINANT = 10.0  # times the excess anywhere else in a long range: a line on top of a hump
SKIRT = 4  # bins on each side of a peak that are its own
LINE_SHARE = 0.03  # of its lowest frequency; a range narrower than that may be cut as lines are
STEP_SHARE = 0.5  # of the peak's excess in ln: a level that differs that much on the two sides is a step, not cut
STEP_BINS = 10  # bins on either side that tell a step from a hump
LONG = 12  # bins; a hump with fewer valleys than one in so many bins is not cut
LEAST = 0.2  # of the largest ln excess in a range; smaller peaks there are its sides
SKIRT_BEND = 0.8  # of the mean of a skirt's inner and outer third: its middle third lies below, half a hump's above
FAR_WEAKER = 1e3  # times weaker than the line: what falls away from it is its skirt, however it falls


def with_causes(detection: Detection, sampling_rate: float | None = None, known: Sequence[KnownLine] = ()) -> Detection:
    """The detection with one flag per line, each with its kind and likely source.

    A flagged range that holds several lines is cut at the valleys between them, so that each can be a harmonic.
    NoiseDetector.detect does this already; done once more it changes nothing but the sampling rate that is used.

    Parameters
    ----------
    sampling_rate : Hz, of the time series behind the spectrum; aliases are named only where it is given
    known : lines that the user knows, which are named first
    """
    inside = np.isfinite(detection.psd)
    parts = []
    for flag in detection.flags:
        bins = np.flatnonzero((detection.freqs >= flag.fmin) & (detection.freqs <= flag.fmax) & inside)
        parts += _standing(detection, _split(detection, bins, flag.kind or _outline(detection, bins)))
    if not parts:
        return detection
    background, freqs = np.exp(detection.background), detection.freqs
    flags = [flag_of(detection, part, background=background) for part in parts]
    resolution = float(np.median(np.diff(freqs)))
    flags = _with_skirts(detection, parts, flags)
    causes = likely_sources(flags, resolution, (float(freqs[0]), float(freqs[-1])), sampling_rate, known=known)
    named, hints = [], []
    for flag, cause in zip(flags, causes, strict=True):
        is_hinted = cause.hint and resolution <= FINE
        named.append(dataclasses.replace(flag, cause=f"{cause.name}, perhaps mains" if is_hinted else cause.name))
        hints += [f"the line at {flag.centre:.6g} Hz lies {cause.hint}"] if is_hinted else []
    return dataclasses.replace(detection, flags=named, warnings=list(dict.fromkeys([*detection.warnings, *hints])))


def flag_of(
    detection: Detection,
    inside: Int[ndarray, " n"],
    cause: str = "",
    background: Float[ndarray, " bin"] | None = None,
) -> Flag:
    """A flag on some measured bins of a detection, its kind looked at.

    Parameters
    ----------
    inside : their indices, in order
    background : the detection's, unit^2/Hz, where it is there already
    """
    low, high = float(detection.freqs[inside[0]]), float(detection.freqs[inside[-1]])
    background = np.exp(detection.background) if background is None else background
    segments = max(detection.n_segments, 1.0)
    flag = describe_range(detection.freqs, detection.psd, background, low, high, segments)
    probability = float(np.nanmin(detection.probabilities[inside]))
    return dataclasses.replace(flag, probability=probability, cause=cause)


def _with_skirts(detection: Detection, parts, flags: list[Flag]) -> list[Flag]:
    """The flags of the parts, what leaks from a strong line into the bins beside it joined to the line's flag."""
    excess = np.exp(np.log(detection.psd) - detection.background) - 1
    joined, among = [], set[int]()
    for number, flag in enumerate(flags):
        beside = _skirts_of(excess, parts, number)
        among.update(beside)
        ends = [flag, *(flags[other] for other in beside)]
        low, high = min(end.fmin for end in ends), max(end.fmax for end in ends)
        joined.append(dataclasses.replace(flag, fmin=low, fmax=high))
    return [flag for number, flag in enumerate(joined) if number not in among]


def _skirts_of(excess, parts, number: int) -> list[int]:
    """Numbers of the parts that touch a far stronger one and are its skirts; none if one of them is something else.

    A skirt falls from its line, and ever more slowly. Half a hump beside a line on it does not, on one side at least.
    """
    line, skirts = parts[number], []
    for beside in (number - 1, number + 1):
        if not 0 <= beside < len(parts):
            continue
        before, own = beside < number, excess[parts[beside]]
        gap = line[0] - parts[beside][-1] if before else parts[beside][0] - line[-1]
        stronger = excess[line].max() / own.max()
        if gap > JOIN + 1 or stronger < DOMINANT:
            continue
        if len(own) < 3:
            return []
        inner, middle, outer = (part.mean() for part in np.array_split(own[::-1] if before else own, 3))
        is_bent = middle < SKIRT_BEND * (inner + outer) / 2 or stronger > FAR_WEAKER
        if not inner > middle > outer or not is_bent:
            return []
        skirts.append(beside)
    return skirts


def _outline(detection: Detection, inside) -> str:
    """What a whole range looks like before it is cut: only how it may be cut depends on it."""
    freqs, psd = detection.freqs, detection.psd
    low, high = inside[0], inside[-1]
    if high - low + 1 <= LINE_BINS or freqs[high] - freqs[low] < LINE_SHARE * freqs[low]:
        return "line"
    sides = psd[max(low - STEP_BINS, 0) : low], psd[high + 1 : high + 1 + STEP_BINS]
    levels = [level[np.isfinite(level)] for level in map(np.log, sides)]
    if min(map(len, levels)) < 3:
        return "hump"
    height = max((np.log(psd[inside]) - detection.background[inside]).max(), 0.1)
    return "step" if abs(np.median(levels[1]) - np.median(levels[0])) > STEP_SHARE * height + 1.0 else "hump"


def _split(detection: Detection, inside, kind: str) -> list[ndarray]:
    """The bins of a range, or of its parts: a line on a hump is cut out of it, lines are cut at the valleys between."""
    if kind == "step" or len(inside) < 3:
        return [inside]
    ratio = np.log(detection.psd[inside]) - detection.background[inside]
    if line := _dominant(np.expm1(ratio)):
        return [piece for part in np.split(inside, line) if len(part) for piece in _split(detection, part, kind)]
    cuts = _valleys(ratio, 1 / np.sqrt(max(detection.n_segments, 1.0)))
    if kind == "hump" and len(inside) / (len(cuts) + 1) > LONG:
        return [inside]
    return np.split(inside, cuts)


def _standing(detection: Detection, pieces: list[ndarray]) -> list[ndarray]:
    """Pieces of one range; what stays below the threshold joins the stronger piece beside it that exceeds it."""
    peaks = [detection.scores[piece].max() for piece in pieces]
    standing = [number for number, peak in enumerate(peaks) if peak > detection.threshold]
    if not standing:  # flagged by hand
        return pieces
    joined = {number: [pieces[number]] for number in standing}
    for number, piece in enumerate(pieces):
        if number not in joined:
            beside = [*[one for one in standing if one < number][-1:], *[one for one in standing if one > number][:1]]
            joined[max(beside, key=lambda one: peaks[one])].append(piece)
    return [np.sort(np.concatenate(joined[number])) for number in standing]


def _dominant(excess) -> list[int]:
    """Where to cut a line out of a long range that it dominates: its first bin and the one behind its last, or []."""
    peak = int(excess.argmax())
    beside = np.concatenate([excess[: max(peak - SKIRT, 0)], excess[peak + SKIRT + 1 :]])
    if len(beside) <= 2 * SKIRT or excess[peak] < DOMINANT * max(beside.max(), 0.0):
        return []
    higher = np.flatnonzero(excess > beside.max())
    first, behind = int(higher[0]), int(higher[-1]) + 1
    return [at for at in (first, behind) if SKIRT < at < len(excess) - SKIRT]


def _valleys(ratio, scatter: float) -> list[int]:
    """Where to cut: the lowest bin between neighbouring peaks that both stand well above it."""
    padded = np.concatenate([[-np.inf], ratio, [-np.inf]])
    peaks = [int(at) for at in np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))]
    peaks = [at for at in peaks if ratio[at] > LEAST * ratio.max()]
    cuts, last = [], None
    for peak in peaks:
        if last is None:
            last = peak
            continue
        valley = last + int(np.argmin(ratio[last : peak + 1]))
        smaller = min(ratio[last], ratio[peak])
        if smaller - max(ratio[valley], 0.0) > max(VALLEY * smaller, PEAK * scatter):
            cuts.append(valley)
            last = peak
        elif ratio[peak] > ratio[last]:
            last = peak
    return cuts
