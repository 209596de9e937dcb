"""From scores per bin to flagged ranges: where each begins and ends and how strong it is."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

EDGE = 2.0  # standard deviations of the mean excess: a flag ends where it falls below
LEAST_EXCESS = 0.05  # of the background; a flag's edge is never drawn below it
FAR = 4.0  # standard deviations that one bin counts at most, so that one line does not carry a flag to the next
SUPPORT = 3.0  # standard deviations that a range must have of its own, beside stronger ranges already flagged
LINE_BINS = 8  # bins; up to this many a range is a line
JOIN = 1  # bins; ranges that are closer are one
BRIDGE = 3  # missing bins in a row that a range goes on over
FLAG_COLUMNS = ("fmin", "fmax", "cause", "kind", "centre", "excess", "excess_db", "probability")  # of tables and JSON


@dataclass(frozen=True)
class Flag:
    """One contaminated range.

    Attributes
    ----------
    fmin, fmax : Hz, first and last flagged bin
    centre : Hz, of a line; where the level jumps, of a step; the bin of the largest excess, of a hump
    excess : power over the background at the peak, x/S - 1
    probability : of a score this high anywhere in a line-free spectrum
    kind : "line", "hump" or "step" (sources.lines.describe_range); "" where nobody has looked
    cause : likely source, "" where none was looked for
    uncertainty : of the centre of a line, Hz; None: half a bin
    """

    fmin: float
    fmax: float
    centre: float
    excess: float = 0.0
    probability: float = 1.0
    kind: str = ""
    cause: str = ""
    uncertainty: float | None = None

    @property
    def excess_db(self) -> float:
        """Spectrum over background at the peak, dB."""
        return float(10 * np.log10(1 + self.excess))

    def as_row(self) -> dict[str, float | str]:
        """What tables and JSON say of it, by FLAG_COLUMNS."""
        return {name: getattr(self, name) for name in FLAG_COLUMNS}


def flagged_ranges(
    scores: Float[ndarray, " bin"],
    widths: Float[ndarray, " bin"],
    excess: Float[ndarray, " bin"],
    scatter: Float[ndarray, " bin"],
    threshold: float,
) -> list[tuple[int, int]]:
    """First and last bin of each flagged range, in order.

    The strongest bin comes first; its range reaches as far as the excess stands out from the noise. A range goes on
    over a few missing bins, and stops where more are missing. Bins that a broad filter flagged only because a strong
    line stands beside them are left out.

    Parameters
    ----------
    scores, widths : of the filter bank, NaN where a bin is missing
    excess : x/S - 1
    scatter : 1/sqrt(K)
    """
    measured = np.flatnonzero(~np.isnan(scores))
    ranges = []
    for part in np.split(measured, np.flatnonzero(np.diff(measured) > BRIDGE + 1) + 1):
        claimed = _claimed(scores[part], widths[part], excess[part], scatter[part], threshold)
        ranges += [(int(part[low]), int(part[high])) for low, high in _joined(claimed)]
    return ranges


def _claimed(scores, widths, excess, scatter, threshold):
    """True where a bin of one stretch belongs to a flag; missing bins are gone."""
    candidates = np.flatnonzero(scores > threshold)
    claimed = np.zeros(len(scores), dtype=bool)
    for peak in candidates[np.argsort(-scores[candidates], kind="stable")]:
        if claimed[peak]:
            continue
        half = max(int(widths[peak]), 0)
        near = slice(max(peak - half, 0), peak + half + 1)
        free = ~claimed[near]
        if half and not _stands(excess[near][free], scatter[peak]):
            continue
        top = near.start + int(np.argmax(np.where(free, excess[near], -np.inf)))
        low, high = _extent(excess, scatter, top, max(half // 2, 0))
        if scores[low : high + 1].max() > threshold:  # else what stands out is the tail of a stronger range
            claimed[low : high + 1] = True
    return claimed


def _stands(own, scatter):
    """Has a range an excess of its own, beside stronger ones?"""
    return own.mean() * np.sqrt(len(own)) >= SUPPORT * scatter


def _extent(values, scatter, top, half):
    """First and last bin around `top` from which on the mean of the next 2 half + 1 bins outwards does not stand out.

    Looking outwards only, a strong line does not lift the mean beyond its own end.
    """
    high = top + _reach(values[top:], scatter[top:], half)
    low = top - _reach(values[: top + 1][::-1], scatter[: top + 1][::-1], half)
    return low, high


def _reach(values, scatter, half):
    """Bins behind the first one that belong to it."""
    reach, size = 64 * (half + 1), 2 * half + 1
    near, own = values[: reach + size], scatter[: reach + size]
    sums = np.cumsum(np.concatenate([[0.0], np.minimum(near, FAR * own)])).tolist()
    near, own = near.tolist(), own.tolist()  # most ranges are short: a bin at a time is quicker than all at once
    limits = []
    for first in range(min(reach, len(near))):
        last = min(first + size, len(near))
        mean, alone = (sums[last] - sums[first]) / (last - first), EDGE * own[first]
        limits.append(max(alone / math.sqrt(last - first), LEAST_EXCESS))
        if first and not (mean > limits[-1] or near[first] > max(alone, LEAST_EXCESS)):
            break
        end = first
    while end > 0 and near[end] <= limits[end]:  # the mean looks ahead; its own bin may be none
        end -= 1
    return end


def _joined(flagged):
    """Runs of flagged bins; gaps of JOIN bins are closed."""
    gaps = np.flatnonzero(flagged[:-2] & ~flagged[1:-1] & flagged[2:]) + 1 if JOIN else []
    flagged = flagged.copy()
    flagged[gaps] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flagged.astype(np.int8), [0]])))
    return [(int(low), int(high) - 1) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def describe(
    ranges: list[tuple[int, int]],
    freqs: Float[ndarray, " bin"],
    log_psd: Float[ndarray, " bin"],
    background: Float[ndarray, " bin"],
    probabilities: Float[ndarray, " bin"],
) -> list[Flag]:
    """The ranges as flags, their kinds left to causes.with_causes; background : ln, restored beside and under them."""
    flags = []
    for low, high in ranges:
        part = slice(low, high + 1)
        peak = low + int(np.nanargmax(log_psd[part] - background[part]))
        excess = float(np.expm1(min(log_psd[peak] - background[peak], 700.0)))
        place = float(freqs[low]), float(freqs[high]), float(freqs[peak])
        flags.append(Flag(*place, excess, float(np.nanmin(probabilities[part]))))
    return flags
