"""A spectrum with a source on, against one with it off: which bins the source adds to, whatever the background.

In each bin the ratio of two averaged spectra is, but for its scale, F-distributed with 2 K_on and 2 K_off degrees of
freedom, where lines and texture that both hold cancel. As a normal deviate it is averaged over several widths. The
scale (gain, temperature, drift) is a slow robust curve: what the source adds over more than an eighth of the axis
cannot be told from drift. Thresholds come from simulated pairs of the same axis, K and window that go the same way.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.special import fdtr, fdtrc, fdtri, ndtri

from nblib.measured.humps import VERY_STIFF
from nblib.measured.statistic.background import robust_background
from nblib.measured.statistic.bank import (
    BROAD,
    CLIP_BROAD,
    CLIP_NARROW,
    WIDTHS,
    bank_widths,
    log_tail,
    seen_through,
    template_norms,
)
from nblib.measured.statistic.scatter import CLIP, HANN_CORRELATION, lower_spread
from nblib.measured.statistic.thresholds import RATES, Thresholds, rank_threshold
from nblib.measured.statistic.whitening import MISTRUST, START_SCATTER, Plan
from nblib.project.paths import locked, runs_dir
from nblib.project.records import kept_array
from nblib.smoothing import LOWER, SEGMENTS_GRID

PAIR_WIDTHS = (*WIDTHS, 20.0, 40.0)  # bins, standard deviation: no background is fitted, so broad ones cost nothing
N_PAIRS = 1000  # simulated ones, for the thresholds
PAIR_SEED = 4002
PART = 100  # pairs that are kept together
LEAST_TAIL = 1e-300
SAME_CLASS = 1.3  # times: K is rounded to powers of this for the thresholds, which hardly depend on it
PART_BINS, MOST_PARTS = 150, 8  # of the axis, in which the scatter of the ratio is measured
SPREAD_ERROR = 1.6  # over the root of the bins: relative, of a lower spread
SURELY = 5.0  # of that: from here on parts of the axis scatter differently
EQUAL_SPREADS = -np.log(fdtri(2 * SEGMENTS_GRID, 2 * SEGMENTS_GRID, LOWER))  # of the ln ratio where both K are equal
VERSION = 1  # of this statistic


@dataclass(frozen=True, eq=False)
class Pair:
    """The statistic of one pair; (bin,), NaN where either spectrum lacks the bin.

    Attributes
    ----------
    scores : -ln p of the strongest width at each bin, one test
    widths : of that one, bins
    deviates : the ratio as a normal deviate
    ratio : on over off, the scale taken out: 1 where the source adds nothing
    scale : of on over off
    segments : K of on and of off that were used, typical
    lowered : did the ratio scatter more than the stated K says
    """

    scores: Float[ndarray, " bin"]
    widths: Float[ndarray, " bin"]
    deviates: Float[ndarray, " bin"]
    ratio: Float[ndarray, " bin"]
    scale: Float[ndarray, " bin"]
    segments: tuple[float, float]
    lowered: bool


def judge_pair(
    log_ratio: Float[ndarray, " bin"], plan: Plan, norms: Float[ndarray, "width bin"], stated, correlated: bool
) -> Pair:
    """Scores of one pair.

    Parameters
    ----------
    log_ratio : ln of on over off; the plan's measured bins are read
    norms : of PAIR_WIDTHS on this plan, from bank.template_norms
    stated : K of on and off; None: measured on the ratio, one number for both
    correlated : do neighbouring bins of the spectra correlate as Hann's do
    """
    index, n_bins = plan.grid.index, len(plan.grid.freqs)
    measured = log_ratio[index]
    slow = slow_course(measured, plan)
    segments, lowered = _segments(measured - slow, stated)
    degrees = 2 * segments[0], 2 * segments[1]
    scale = slow - np.log(fdtri(*degrees, 0.5))
    ratio = np.exp(measured - scale)
    deviates = np.zeros(n_bins)
    deviates[index] = _normal(ratio, *degrees)
    widths = bank_widths(n_bins, PAIR_WIDTHS)
    responses = np.full((len(widths), n_bins), -np.inf)
    for row, width in enumerate(widths):
        clipped = deviates if width < 1 else np.minimum(deviates, CLIP_NARROW if width < BROAD else CLIP_BROAD)
        norm = norms[row : row + 1]
        lags = np.zeros(2) if width < 1 or not correlated else np.exp(-0.25 * np.array([1.0, 4.0]) / width**2)
        variance = 1 + 2 * float(lags @ HANN_CORRELATION)
        responses[row] = seen_through(clipped, (width,), norm)[0] * norm[0] / np.sqrt(variance)
    best = responses.argmax(axis=0)

    def spread(values):
        full = np.full(n_bins, np.nan)
        full[index] = values
        return full

    return Pair(
        spread(log_tail(responses.max(axis=0))[index]),
        spread(np.array(widths)[best][index]),
        spread(deviates[index]),
        spread(ratio),
        spread(np.exp(scale)),
        (float(np.median(segments[0])), float(np.median(segments[1]))),
        lowered,
    )


def slow_course(log_ratio: Float[ndarray, " measured"], plan: Plan) -> Float[ndarray, " measured"]:
    """The slow robust curve through the ln ratio of the plan's measured bins."""
    return robust_background(log_ratio, plan.grid, START_SCATTER, VERY_STIFF)


def lag_one(residual: Float[ndarray, " measured"], adjacent: Bool[ndarray, " pair"]) -> float:
    """Correlation of neighbouring bins of the ln ratio; what stands out is left aside.

    Parameters
    ----------
    adjacent : (bin - 1,) True where two values stand in neighbouring bins
    """
    scaled = residual / max(lower_spread(residual), 1e-9)
    inner = np.where(np.abs(scaled) < CLIP, scaled, np.nan)
    inner -= np.nanmean(inner)
    return float(np.nanmean((inner[1:] * inner[:-1])[adjacent]) / np.nanmean(inner**2))


def _segments(residual, stated):
    """K of on and off per measured bin, and whether the ratio scatters more than stated K allow.

    The smaller of stated and measured K counts, as for one spectrum (whitening).
    """
    spread = _spread_along(residual)
    if stated is None:
        own = np.exp(np.interp(-np.log(spread), -np.log(EQUAL_SPREADS), np.log(SEGMENTS_GRID)))
        return (own, own), False
    expected = np.log(fdtri(2 * stated[0], 2 * stated[1], 0.5) / fdtri(2 * stated[0], 2 * stated[1], LOWER))
    share = np.minimum(1.0, (expected / spread) ** 2)
    return (share * stated[0], share * stated[1]), bool(np.median(share) < 1 / MISTRUST**2)


def _spread_along(residual):
    """Lower spread of the ln ratio per measured bin: one number, or along the axis where its parts surely differ."""
    n_bins = len(residual)
    n_parts = int(np.clip(n_bins // PART_BINS, 1, MOST_PARTS))
    edges = np.linspace(0, n_bins, n_parts + 1).astype(int)
    parts = [residual[low:high] for low, high in zip(edges[:-1], edges[1:], strict=True)]
    spreads = np.maximum([lower_spread(part) for part in parts], 1e-9)
    if np.ptp(np.log(spreads)) < SURELY * SPREAD_ERROR / np.sqrt(n_bins / n_parts):
        return np.full(n_bins, max(lower_spread(residual), 1e-9))
    return np.exp(np.interp(np.arange(n_bins), (edges[:-1] + edges[1:] - 1) / 2, np.log(spreads)))


def _normal(ratio, on, off):
    """Normal deviates that are as rare as F-distributed ratios; on, off : degrees of freedom."""
    above = fdtrc(on, off, ratio)
    below = fdtr(on, off, ratio)
    return np.where(
        above < 0.5, -ndtri(np.maximum(above, LEAST_TAIL)), ndtri(np.maximum(np.minimum(below, 0.5), LEAST_TAIL))
    )


def norms_of(plan: Plan) -> Float[ndarray, "width bin"]:
    """What judge_pair needs of an axis."""
    return template_norms(plan.grid.valid.astype(float), bank_widths(len(plan.grid.freqs), PAIR_WIDTHS))


def pair_thresholds(
    plan: Plan,
    segments: tuple[float, float],
    are_stated: bool,
    correlated: bool,
    n_pairs: int = N_PAIRS,
    progress: Callable[[float], None] | None = None,
) -> Thresholds:
    """Thresholds of the statistic on an axis: simulated once for its kind, and kept below runs/thresholds.

    Parameters
    ----------
    segments : K of on and of off
    are_stated : is K given to the statistic
    """
    rounded = tuple(float(SAME_CLASS ** round(np.log(value) / np.log(SAME_CLASS))) for value in segments)
    axis = hashlib.sha256(plan.grid.freqs.tobytes() + plan.grid.valid.tobytes()).hexdigest()[:16]
    kind = f"K {rounded[0]:.4g} and {rounded[1]:.4g} {'stated' if are_stated else 'measured'}"
    window = "welch_hann" if correlated else "welch"
    folder = runs_dir("thresholds", f"pairs on {axis}, {kind}, {window}, v{VERSION}")
    parts = []
    with locked(folder):
        for first in range(0, n_pairs, PART):
            numbers = range(first, min(first + PART, n_pairs))
            draw = partial(_maxima, plan, rounded, are_stated, correlated, numbers)
            parts.append(kept_array(folder / f"{first}-{numbers.stop}.npz", draw))
            if progress:
                progress(numbers.stop / n_pairs)
    maxima = np.concatenate(parts)
    return Thresholds(tuple(rank_threshold(maxima, rate) for rate in RATES), len(plan.grid.index))


def _maxima(plan, segments, are_stated, correlated, numbers):
    """Largest score of each of some simulated pairs with nothing switched."""
    from nblib.measured.line_free.disturbances import gamma_factor  # not needed where the thresholds are kept

    norms, n_bins = norms_of(plan), len(plan.grid.freqs)
    estimator, single = "welch_hann" if correlated else "welch", np.ones(n_bins, dtype=np.int64)
    maxima = []
    for number in numbers:
        rng = np.random.default_rng([PAIR_SEED, number])
        on, off = (gamma_factor(rng, np.full(n_bins, value), estimator, single) for value in segments)
        stated = segments if are_stated else None
        maxima.append(np.nanmax(judge_pair(np.log(on / off), plan, norms, stated, correlated).scores))
    return np.array(maxima)
