"""One frequency axis for spectra on several: the coarsest bins there are at each frequency, and means over them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

ALIKE = 0.01  # of a bin: widths that differ less are the same, and edges that overlap less do not
LEAST_COVERED = 0.5  # of a bin, that the measured bins of a spectrum must fill


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of an axis, in order, that do not overlap. low, high, centre : (bin,) Hz."""

    low: Float[ndarray, " bin"]
    high: Float[ndarray, " bin"]
    centre: Float[ndarray, " bin"]

    @classmethod
    def of(cls, freqs: Float[ndarray, " bin"]) -> "Bins":
        """The bins around the frequencies of one spectrum, which meet half-way between them."""
        middle = (freqs[1:] + freqs[:-1]) / 2
        first, last = 2 * freqs[0] - middle[0], 2 * freqs[-1] - middle[-1]
        return cls(np.append(first, middle), np.append(middle, last), freqs)

    @property
    def width(self) -> Float[ndarray, " bin"]:
        """Hz."""
        return self.high - self.low

    def at(self, freqs: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Width of the bin that holds each frequency, Hz; 0 outside the axis. The bins leave no gaps."""
        place = np.clip(np.searchsorted(self.high, freqs), 0, len(self.high) - 1)
        return np.where((freqs >= self.low[0]) & (freqs <= self.high[-1]), self.width[place], 0.0)


def common_bins(axes: Sequence[ndarray]) -> Bins:
    """The coarsest bins that any of the axes has at each frequency; those of the first where several are as coarse.

    Where one axis ends and a finer one goes on, a bin that is cut by half or more is left out.

    Parameters
    ----------
    axes : frequencies of each spectrum, (bin,) Hz, increasing, two at least
    """
    own: list[Bins] = []
    for freqs in axes:
        if not any(len(freqs) == len(known.centre) and _are_one(freqs, known) for known in own):
            own.append(Bins.of(freqs))
    if len(own) == 1:
        return own[0]
    parts = []
    for number, bins in enumerate(own):
        kept = np.ones(len(bins.centre), dtype=bool)
        for other, rival in enumerate(own):
            if other != number:
                factor = 1 - ALIKE if other < number else 1 + ALIKE
                kept &= rival.at(bins.centre) < factor * bins.width
        parts.append(np.stack([bins.low[kept], bins.high[kept], bins.centre[kept]]))
    low, high, centre = np.concatenate(parts, axis=1)
    return _apart(low, high, centre)


def _are_one(freqs, known):
    return bool((np.abs(freqs - known.centre) <= ALIKE * known.width).all())


def _apart(low, high, centre):
    """Bins in order; where two overlap, the later one is cut, or left out where less than half would remain."""
    order, end, kept = np.argsort(low, kind="stable"), -np.inf, []
    for at in order:
        width = high[at] - low[at]
        if end - low[at] <= ALIKE * width:
            kept.append((low[at], high[at], centre[at]))
        elif high[at] - end > width / 2:
            kept.append((end, high[at], (end + high[at]) / 2))
        else:
            continue
        end = high[at]
    return Bins(*np.array(kept).T)


def averaged_into(
    bins: Bins, freqs: Float[ndarray, " own"], values: Float[ndarray, " own"], n_segments: Float[ndarray, " own"]
) -> tuple[Float[ndarray, " bin"], Float[ndarray, " bin"]]:
    """Mean of a spectrum over each of some bins, and the averages behind it.

    Each own bin counts by its overlap o: the mean is sum o x / sum o, and K = (sum o)^2 / sum (o^2 / K).

    Parameters
    ----------
    values : power, or power over background; NaN where missing
    n_segments : K of each own bin

    Returns
    -------
    mean and K; NaN and 0 where the measured bins fill less than half of a bin
    """
    own, n_bins = Bins.of(freqs), len(bins.centre)
    first = np.searchsorted(own.high, bins.low, side="right")
    behind = np.searchsorted(own.low, bins.high, side="left")
    counts = np.maximum(behind - first, 0)
    rows = np.repeat(np.arange(n_bins), counts)
    columns = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    overlap = np.minimum(bins.high[rows], own.high[columns]) - np.maximum(bins.low[rows], own.low[columns])
    overlap = np.where(np.isfinite(values[columns]), np.maximum(overlap, 0.0), 0.0)
    total = np.bincount(rows, overlap, n_bins)
    power = np.bincount(rows, overlap * np.where(overlap > 0, values[columns], 0.0), n_bins)
    scatter = np.bincount(rows, overlap**2 / n_segments[columns], n_bins)
    filled = total >= LEAST_COVERED * bins.width
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(filled, power / total, np.nan), np.where(filled, total**2 / scatter, 0.0)
