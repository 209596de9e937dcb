"""The background under flags, and humps that are so wide that the detector's background climbs over them."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import median_filter, uniform_filter1d

from nblib.measured.flags import LINE_BINS
from nblib.measured.statistic.background import SOFT, Grid, Stiffness, robust_background
from nblib.measured.statistic.whitening import MIN_BINS, Plan, Whitened
from nblib.smoothing import log_median

VERY_STIFF = Stiffness(400, 0.3, 0.5, 1001)  # a hump of an eighth of the axis does not bend it
PASSES = 3  # of hump and background in turn
WIDE = SOFT.bins  # bins; the soft background cannot be trusted across a wider gap
LEAST_WIDE = WIDE // 2  # bins of a range that may be the top of a hump; below, a line is as wide as its filters say
FOOT = 0.1  # of a hump's height: what stands above it belongs to the hump
HEIGHT_BINS = 15  # of the running median that a hump's height is taken from: a line on it does not count
LEAST_HEIGHT = 0.2  # of the background
SURE = 3.0  # standard deviations that the foot stands above the mean of the bins it is judged by
MOST_SMOOTHED = 41  # bins
OWN = 5.0  # standard deviations that a short range must stand out from a hump to be a line on it
SURELY = 1.5  # times that: then it is a line whatever the background, and none is fitted without it
LARGEST = 0.2  # of the measured bins; what is wider is background
SIDE = 0.25  # of a hump's bins, on either side: there the spectrum must be back on the background
SIDE_LEVEL = 0.15  # of its height, that "back" may mean


def background_under(white: Whitened, plan: Plan, flagged: Bool[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """ln of the background fitted without the flagged bins, at every bin with a frequency above 0; NaN at 0 Hz.

    Under gaps of WIDE bins and more it is the very stiff background: the soft one would go on as its edges bend.
    """
    freqs, index = plan.grid.freqs, plan.grid.index
    kept, background = plan.grid.valid & ~flagged, white.background[index]
    if flagged.any() and kept.sum() >= MIN_BINS:
        wide = _wide_runs(flagged[index])
        bridged = kept.copy()
        bridged[index[wide]] = True
        log_psd = white.log_psd.copy()
        if wide.any():
            log_psd[index[wide]] = _very_stiff(white, plan, kept)[wide] + log_median(white.n_segments[index[wide]])
        background = _fitted(log_psd, white, bridged, freqs, SOFT)
        index = np.flatnonzero(bridged)
    positive = freqs > 0
    full = np.full(len(freqs), np.nan)
    full[positive] = np.interp(np.log(freqs[positive]), np.log(freqs[index]), background)
    return full


def _fitted(log_psd, white, kept, freqs, stiffness):
    """ln background of the bins that are kept, at the level of the mean."""
    segments = white.n_segments[kept]
    fitted = robust_background(log_psd[kept], Grid(freqs, kept), 1 / np.sqrt(segments), stiffness)
    return fitted - log_median(segments)


def _very_stiff(white, plan, kept):
    """The very stiff background fitted to the bins that are kept, at every measured bin."""
    freqs = plan.grid.freqs
    fitted = _fitted(white.log_psd, white, kept, freqs, VERY_STIFF)
    return np.interp(np.log(freqs[plan.grid.index]), np.log(freqs[kept]), fitted)


def _wide_runs(flagged):
    """True in runs of at least WIDE flagged bins."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flagged.astype(np.int8), [0]])))
    wide = np.zeros(len(flagged), dtype=bool)
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        wide[low:high] = high - low >= WIDE
    return wide


def with_whole_humps(
    ranges: list[tuple[int, int]], broad: Bool[ndarray, " bin"], white: Whitened, plan: Plan, known: dict | None = None
) -> list[tuple[int, int]]:
    """The flagged ranges, those on a hump joined and as wide as the hump.

    A hump about as wide as the soft background bends lifts it, and only its top, or a sliver, is flagged. So ranges of
    LEAST_WIDE bins that a broad filter flagged, and short ones that do not stand out from a hump, are looked at again
    over a very stiff background that is fitted without the hump: what stands above FOOT of its height is one flag.
    What does not come back to that background on both sides is left as it was.

    Parameters
    ----------
    ranges : first and last bin of each
    broad : True where a broad filter is above its threshold
    known : what was found of ranges of this spectrum at another threshold; it is read and added to

    Returns
    -------
    first and last bin of each, in order
    """
    index, known = plan.grid.index, {} if known is None else known
    humps: list[tuple[int, int]] = []
    for low, high in ranges:
        is_short, is_wide = high - low < LINE_BINS, high - low >= LEAST_WIDE and broad[low : high + 1].any()
        if not (is_short or is_wide) or any(begin <= low <= end for begin, end in humps):
            continue
        if (low, high, is_short) not in known:
            first, last = np.searchsorted(index, [low, high])
            known[low, high, is_short] = _whole_hump(first, last, white, plan, is_short)
        if (hump := known[low, high, is_short]) is not None:
            humps.append((min(int(index[hump[0]]), low), max(int(index[hump[1]]), high)))
    outside = [part for part in ranges if not any(part[0] <= last and first <= part[1] for first, last in humps)]
    return _united([*humps, *((part[0], part[1]) for part in outside)])


def _united(ranges):
    """Ranges in order, overlapping ones as one."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return joined


def _whole_hump(first, last, white, plan, is_short):
    """First and last measured bin of the hump around a range of them; None where there is none.

    is_short : the range may be a line on the hump; then it does not belong to the hump
    """
    index = plan.grid.index
    if is_short and _surely_a_line(white, index, first, last):
        return None
    scatter = 1 / np.sqrt(white.n_segments[index])
    kept, hump = plan.grid.valid.copy(), None
    kept[index[first : last + 1]] = False
    for _ in range(PASSES):
        if kept.sum() < MIN_BINS:
            return None
        excess = np.expm1(np.minimum(white.log_psd[index] - _very_stiff(white, plan, kept), 40.0))
        before, hump = hump, _extent(excess, scatter, first, last, is_short)
        if hump is None or hump == before:
            break
        kept = plan.grid.valid.copy()
        kept[index[hump[0] : hump[1] + 1]] = False
    return hump


def _surely_a_line(white, index, first, last):
    """Does a short range stand out from its neighbours so far that no background makes it part of a hump?

    Of the spectrum over the soft background only the course over a few bins counts here.
    """
    near = index[max(first - HEIGHT_BINS, 0) : last + HEIGHT_BINS + 1]
    inside = slice(min(first, HEIGHT_BINS), min(first, HEIGHT_BINS) + last + 1 - first)
    ratio = np.exp(white.log_psd[near] - white.background[near])
    scatter = 1 / np.sqrt(white.n_segments[near[inside]])
    height = median_filter(ratio, HEIGHT_BINS, mode="nearest")[inside].max()
    return ratio[inside].max() > SURELY * height * (1 + OWN * scatter.max())


def _extent(excess, scatter, first, last, is_short):
    """The bins around a range that stand above FOOT of the height there, if the spectrum comes back on both sides."""
    smooth = median_filter(excess, HEIGHT_BINS, mode="nearest")
    top = first + int(np.argmax(smooth[first : last + 1]))
    height = smooth[top]
    highest = (1 + height) * (1 + OWN * scatter[top]) - 1 if is_short else np.inf
    if height < LEAST_HEIGHT or excess[first : last + 1].max() > highest:
        return None
    size = int(np.clip((SURE * scatter[top] / (FOOT * height)) ** 2, 1, MOST_SMOOTHED)) | 1
    below = np.flatnonzero(uniform_filter1d(np.minimum(excess, 2 * height), size, mode="nearest") < FOOT * height)
    place = int(np.searchsorted(below, top))
    if place in (0, len(below)):
        return None
    low, high = int(below[place - 1]) + 1, int(below[place]) - 1
    side = max(int(SIDE * (high - low + 1)), HEIGHT_BINS)
    beside = excess[max(low - side, 0) : low], excess[high + 1 : high + 1 + side]
    if high - low + 1 > LARGEST * len(excess) or min(map(len, beside)) < HEIGHT_BINS:
        return None
    return (low, high) if max(abs(np.median(part)) for part in beside) < SIDE_LEVEL * height else None
