"""Likely sources of a detection's flags."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nblib.measured.flags import Flag
from nblib.measured.sources.lines import describe_range
from nblib.measured.sources.names import likely_sources

if TYPE_CHECKING:  # the detector names causes itself
    from nblib.measured.result import Detection

VALLEY = 0.5  # of the lower of two peaks' ln excess; a deeper valley between them makes two lines of one range
PEAK = 4.0  # standard deviations of ln x that a peak beside another must have over the valley
FINE = 2.5  # Hz; in wider bins a line near mains says nothing
DOMINANT = 10.0  # times the excess anywhere else in a long range: a line on top of a hump
SKIRT = 4  # bins on each side of a peak that are its own
LEAST = 0.2  # of the largest ln excess in a range; smaller peaks there are its sides


def with_causes(detection: Detection, sampling_rate: float | None = None) -> Detection:
    """The detection with one flag a line, each with its kind and likely source.

    A flagged range that holds several lines is cut at the valleys between them, so that each can be a harmonic.
    NoiseDetector.detect does this already; done once more it changes nothing but the sampling rate that is used.

    Parameters
    ----------
    sampling_rate : Hz, of the time series behind the spectrum; aliases are named only where it is given
    """
    freqs, psd, background = detection.freqs, detection.psd, np.exp(detection.background)
    flags, lines = [], []
    for flag in detection.flags:
        for part in _split(detection, flag):
            line = describe_range(freqs, psd, background, part.fmin, part.fmax, max(detection.n_segments, 1.0))
            centre = part.centre if line.centre is None else line.centre
            flags.append(dataclasses.replace(part, kind=line.kind, centre=float(centre)))
            lines.append(line)
    if not flags:
        return detection
    causes = likely_sources(lines, _resolution(freqs), (float(freqs[0]), float(freqs[-1])), sampling_rate)
    fine = _resolution(freqs) <= FINE
    named, hints = [], []
    for flag, cause in zip(flags, causes, strict=True):
        said = f"{cause.name}, perhaps mains" if cause.hint and fine else cause.name
        named.append(dataclasses.replace(flag, cause=said))
        if cause.hint and fine:
            hints.append(f"the line at {flag.centre:.6g} Hz lies {cause.hint}")
    return dataclasses.replace(detection, flags=named, warnings=list(dict.fromkeys([*detection.warnings, *hints])))


def flag_of(detection: Detection, inside, kind: str, cause: str = "") -> Flag:
    """A flag on some bins of a detection. inside : their indices, in order."""
    excess = detection.psd[inside] / np.exp(detection.background[inside]) - 1
    peak = int(np.nanargmax(excess))
    low, high = float(detection.freqs[inside[0]]), float(detection.freqs[inside[-1]])
    probability = float(np.nanmin(detection.probabilities[inside]))
    return Flag(low, high, float(detection.freqs[inside[peak]]), float(excess[peak]), probability, kind, cause)


def _resolution(freqs) -> float:
    return float(np.median(np.diff(freqs)))


def _split(detection: Detection, flag: Flag) -> list[Flag]:
    """The flag itself, or its parts: a line on a hump is cut out of it, lines are cut at deep valleys between them."""
    inside = np.flatnonzero(
        (detection.freqs >= flag.fmin) & (detection.freqs <= flag.fmax) & np.isfinite(detection.psd)
    )
    if flag.kind == "step" or len(inside) < 3:
        return [flag]
    ratio = np.log(detection.psd[inside]) - detection.background[inside]
    if line := _dominant(np.expm1(ratio)):
        parts = [flag_of(detection, part, flag.kind) for part in np.split(inside, line) if len(part)]
        return [piece for part in parts for piece in _split(detection, part)]
    cuts = _valleys(ratio, 1 / np.sqrt(max(detection.n_segments, 1.0)))
    if not cuts or (flag.kind == "hump" and len(inside) / (len(cuts) + 1) > 12):
        return [flag]
    return [flag_of(detection, part, "line") for part in np.split(inside, cuts)]


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
