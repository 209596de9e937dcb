"""Draws that try the whole detector as its user does: invariances, mains, combs, clean spectra.

Every draw follows from a seed and a number. A judgement says yes or no of one draw;
evidence/benchmarks/own_spectra.py counts.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.detector import NoiseDetector
from nblib.measured.result import Detection
from nblib.simulation.estimation import draw_intrinsic

ESTIMATORS = ("welch", "welch_hann")
LEAST_OVERLAP = 0.5
BESIDE = (3, 15)  # bins from mains at which the background beside it is compared
BACKGROUNDS = {  # of u = f / highest f
    "flat": lambda u: np.ones_like(u),
    "1/f and white": lambda u: 0.05 / u + 1,
    "knee": lambda u: 1 / (1 + (u / 0.05) ** 2) + 0.01,
    "roll-off": lambda u: (0.05 / u + 1) / (1 + (u / 0.8) ** 8),
}


@dataclass(frozen=True, eq=False)
class Draw:
    """A simulated spectrum. freqs : Hz; psd : unit^2/Hz; background : without noise and lines; n_segments : K."""

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    background: Float[ndarray, " bin"]
    n_segments: int


def clean(rng, freqs, shape: str, n_segments: int, estimator: str = "welch") -> Draw:
    """A line-free spectrum; shape : key of BACKGROUNDS."""
    background = BACKGROUNDS[shape](freqs / freqs[-1])
    noise = draw_intrinsic(rng, freqs, estimator, n_segments).astype(np.float64)
    return Draw(freqs, background * noise, background, n_segments)


def hann_tone(freqs: Float[ndarray, " bin"], centre: float) -> Float[ndarray, " bin"]:
    """Power of a tone in a Hann spectrum over that of a tone on a bin: (sinc d / (1 - d^2))^2, d bins off."""
    off = (freqs - centre) / (freqs[1] - freqs[0])
    off = np.where(np.abs(np.abs(off) - 1) < 1e-6, off + 2e-6, off)
    return np.square(np.sinc(off) / (1 - off**2))


def with_tones(draw: Draw, centres, ratios) -> Draw:
    """The spectrum with steady tones, each `ratio` times the background at its place."""
    psd = draw.psd.copy()
    for centre, ratio in zip(centres, ratios, strict=True):
        psd += ratio * np.interp(centre, draw.freqs, draw.background) * hann_tone(draw.freqs, centre)
    return Draw(draw.freqs, psd, draw.background, draw.n_segments)


def with_lines(draw: Draw, centres, widths, ratios) -> Draw:
    """The spectrum with Gaussian lines multiplied on. widths : standard deviations, Hz; ratios : excess, times."""
    excess = np.zeros(len(draw.freqs))
    for centre, width, ratio in zip(centres, widths, ratios, strict=True):
        excess += ratio * np.exp(-0.5 * ((draw.freqs - centre) / width) ** 2)
    return Draw(draw.freqs, draw.psd * (1 + excess), draw.background, draw.n_segments)


def some_lines(seed: int, number: int, n_bins: int = 1000) -> Draw:
    """Three lines, 2 to 7 bins wide (FWHM), 5 to 50 times the background, on any of the backgrounds."""
    rng = np.random.default_rng([seed, number])
    freqs = np.arange(1.0, n_bins + 1.0)
    draw = clean(rng, freqs, rng.choice(list(BACKGROUNDS)), int(rng.choice([8, 16, 64])), rng.choice(ESTIMATORS))
    centres = n_bins * (np.array([0.1, 0.4, 0.7]) + rng.uniform(0, 0.2, 3))
    return with_lines(draw, centres, rng.uniform(0.85, 3.0, 3), 5 * 10 ** rng.uniform(0, 1, 3))


def wide_lines(seed: int, number: int, ratio: float) -> Draw:
    """Three lines of 3 to 6 bins (FWHM) of a logarithmic grid with this ratio of neighbours; 3,000 fine bins."""
    rng = np.random.default_rng([seed, number])
    freqs = np.arange(1.0, 3001.0)
    draw = clean(rng, freqs, rng.choice(list(BACKGROUNDS)), int(rng.choice([8, 16, 64])), rng.choice(ESTIMATORS))
    centres = np.array([100.0, 300.0, 900.0]) * np.exp(rng.uniform(0, np.log(2), 3))
    widths = centres * (ratio - 1) * rng.uniform(3, 6, 3) / 2.3548
    return with_lines(draw, centres, widths, 3 * 10 ** rng.uniform(0, 1, 3))


def log_grid(draw: Draw, ratio: float, averaged: bool) -> tuple[ndarray, ndarray]:
    """(freqs, psd) on a logarithmic grid: means of the fine bins (where there are any), or interpolated."""
    edges = draw.freqs[0] * ratio ** np.arange(np.ceil(np.log(draw.freqs[-1] / draw.freqs[0]) / np.log(ratio)) + 1)
    if not averaged:
        inside = edges[edges <= draw.freqs[-1]]
        return inside, np.interp(inside, draw.freqs, draw.psd)
    group = np.searchsorted(edges, draw.freqs, side="right")
    count = np.bincount(group)
    kept = count > 0
    freqs, psd = (np.bincount(group, values)[kept] / count[kept] for values in (draw.freqs, draw.psd))
    return freqs, psd


def spans(detection: Detection) -> list[tuple[float, float]]:
    """Flags from the lower edge of their first bin to the upper edge of their last, Hz."""
    width = np.gradient(detection.freqs)
    low, high = detection.freqs - width / 2, detection.freqs + width / 2
    first, last = (
        np.searchsorted(detection.freqs, [getattr(f, name) for f in detection.flags]) for name in ("fmin", "fmax")
    )
    return [(float(low[a]), float(high[b])) for a, b in zip(first, last, strict=True)]


def least_overlap(one: Detection, other: Detection) -> float:
    """Smallest over the flags of `one` of the largest intersection over union with a flag of `other`; 1 without any."""
    others = spans(other)
    best = [max((_shared(span, near) for near in others), default=0.0) for span in spans(one)]
    return min(best, default=1.0)


def _shared(one, other):
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(both, 0.0) / (max(one[1], other[1]) - min(one[0], other[0]))


def invariances(draw: Draw, seed: int, detector: NoiseDetector, missing: float = 0.05) -> dict[str, float]:
    """Overlap of a spectrum's flags with those of the scaled, squared and perforated one; 1 = the same flags."""
    rng, psd = np.random.default_rng(seed), draw.psd
    plain = detector.detect(draw.freqs, psd, draw.n_segments)
    factor = 10.0 ** rng.uniform(-40, 40)
    holes = np.where(rng.random(len(psd)) < missing, np.nan, psd)
    same = {
        "scaled": psd * factor,
        "amplitude density squared": np.sqrt(psd) ** 2,
    }
    overlaps = {name: float(_ranges(detector.detect(draw.freqs, values, draw.n_segments)) == _ranges(plain))
             for name, values in same.items()}  # fmt: skip
    for name, segments in (("5 % missing", draw.n_segments), ("5 % missing, K not given", None)):
        whole = plain if segments else detector.detect(draw.freqs, psd)
        overlaps[name] = least_overlap(whole, detector.detect(draw.freqs, holes, segments))
    return overlaps


def _ranges(detection):
    return [(flag.fmin, flag.fmax, flag.kind, flag.cause) for flag in detection.flags]


def log_invariance(seed: int, number: int, ratio: float, detector: NoiseDetector) -> dict[str, float]:
    """Overlap of a spectrum's flags with those on a logarithmic grid; K is not given there."""
    draw = wide_lines(seed, number, ratio)
    plain = detector.detect(draw.freqs, draw.psd, draw.n_segments)
    return {
        f"log grid, {name}": least_overlap(plain, detector.detect(*log_grid(draw, ratio, averaged)))
        for name, averaged in (("averaged", True), ("interpolated", False))
    }


def mains(seed: int, number: int, detector: NoiseDetector) -> dict[str, float]:
    """Mains 20..60 dB above the background: is it flagged, and how far is the background beside it moved by it, ln."""
    rng = np.random.default_rng([seed, number])
    freqs, nominal = np.arange(1.0, 1001.0), float(rng.choice([50.0, 60.0]))
    draw = clean(rng, freqs, rng.choice(list(BACKGROUNDS)), int(rng.choice([8, 16, 64])), "welch_hann")
    level = rng.uniform(20, 60)
    loud = with_tones(draw, [nominal + rng.normal(0, 0.02)], [10 ** (level / 10)])
    segments = draw.n_segments if number % 2 else None
    without, detection = (detector.detect(freqs, part.psd, segments) for part in (draw, loud))
    off = np.abs(freqs - nominal)
    beside = (off >= BESIDE[0]) & (off <= BESIDE[1])
    moved = np.abs(detection.background - without.background)[beside].max()
    error = np.median(np.abs(detection.background - np.log(draw.background))[beside])
    flagged = any(flag.fmin <= nominal <= flag.fmax for flag in detection.flags)
    return {"decibels": level, "flagged": float(flagged), "moved": float(moved), "error": float(error)}


def comb(seed: int, number: int, detector: NoiseDetector, n_extra: int = 0) -> dict[str, float]:
    """3 of the first 10 harmonics of 50 Hz, 10..30 dB: are they all flagged, and all named 50 Hz mains."""
    rng = np.random.default_rng([seed, number, n_extra])
    step, n_bins = float(rng.choice([0.5, 1.0, 2.0])), int(rng.choice([1000, 3000]))
    freqs = step * np.arange(1, n_bins + 1)
    draw = clean(rng, freqs, rng.choice(list(BACKGROUNDS)), int(rng.choice([8, 16, 64])), "welch_hann")
    spacing = 50 + rng.normal(0, 0.02)
    lines = spacing * np.sort(rng.choice(np.arange(1, 10), 3, replace=False))
    others = rng.uniform(5 * step, freqs[-1], n_extra)
    centres = np.concatenate([lines, others])
    detection = detector.detect(freqs, with_tones(draw, centres, 10 ** rng.uniform(1, 3, len(centres))).psd, None)
    near = [[flag for flag in detection.flags if flag.fmin - step <= line <= flag.fmax + step] for line in lines]
    named = all(any(flag.cause.startswith("50 Hz mains, harmonic") for flag in flags) for flags in near)
    return {"flagged": float(all(near)), "named": float(named)}


def unrelated(seed: int, number: int, detector: NoiseDetector) -> dict[str, float]:
    """3 to 6 unrelated lines, 10..30 dB: is any of them called one of a comb, or mains alone."""
    rng = np.random.default_rng([seed, number])
    step, n_bins = float(rng.choice([0.5, 1.0, 2.0])), int(rng.choice([300, 1000, 3000]))
    freqs = step * np.arange(1, n_bins + 1)
    draw = clean(rng, freqs, rng.choice(list(BACKGROUNDS)), int(rng.choice([8, 16, 64])), "welch_hann")
    centres = rng.uniform(5 * step, freqs[-1], 3 + number % 4)
    detection = detector.detect(freqs, with_tones(draw, centres, 10 ** rng.uniform(1, 3, len(centres))).psd, None)
    spacings = [flag.cause.split(", harmonic")[0] for flag in detection.flags if ", harmonic" in flag.cause]
    alone = [name for name in spacings if spacings.count(name) == 1 and "mains" in name]
    return {"a comb": float(len(spacings) > len(set(spacings))), "mains alone": float(bool(alone))}


def false_alarms(
    seed: int, number: int, n_bins: int, n_segments: int, estimator: str, known: bool, shape: str,
    detector: NoiseDetector,
) -> dict[str, float]:  # fmt: skip
    """Is anything flagged in a line-free spectrum, at 0.05 and at 0.01 a spectrum."""
    rng = np.random.default_rng([seed, number, n_bins, n_segments])
    draw = clean(rng, np.arange(1.0, n_bins + 1.0), shape, n_segments, estimator)
    detection = detector.detect(draw.freqs, draw.psd, n_segments if known else None, 0.05)
    surest = min((flag.probability for flag in detection.flags), default=1.0)
    return {"0.05": float(bool(detection.flags)), "0.01": float(surest <= 0.01)}
