"""What a flagged range looks like: a line with its centre below a bin, a hump, or a step of the level."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.flags import Flag

LINE_WIDTH = 8.0  # bins; excess that is spread over more is a hump, unless it is narrow in hertz
LINE_HERTZ, LINE_SHARE = 2.0, 0.01  # Hz, and of its frequency: mains that wanders is narrower than both
CENTRE_HALF_WIDTH = 3  # bins, at least, on each side of the peak that its centre is taken from
SMALLEST_SPREAD = 0.1  # bins; windows and bins limit a centre, however strong the line
SIDE_BINS = 15  # at least this many bins beside a flag give the levels on its two sides
STEP_HEIGHT = 0.5  # ln units; a smaller jump of the level is not called a step
STEP_SIGNIFICANCE = 5.0  # standard errors


def describe_range(
    freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, " bin"],
    background: Float[ndarray, " bin"],
    low: float,
    high: float,
    n_segments: float = 8,
) -> Flag:
    """Kind, centre and excess of one flagged range; its probability and its cause are left at their defaults.

    Parameters
    ----------
    freqs : Hz, increasing
    psd, background : unit^2/Hz on freqs; NaN where missing
    low, high : the range, Hz, both included
    n_segments : K, averaged segments, for the centre's uncertainty

    Returns
    -------
    A line where the excess r = psd / background - 1 has a width (sum r)^2 / sum r^2 of at most eight bins, or of at
    most 2 Hz and 1 % of its frequency, however fine the bins. Its centre is c = sum f r / sum r within three bins of
    the peak, or half of the width, with var c = sum (f - c)^2 (r + 1)^2 / K / (sum r)^2, at least (0.1 bin)^2. Else a
    step, where the levels beside the range differ more than it stands out; else a hump.

    Raises
    ------
    ValueError : no bin of the range can be used, or the range is upside down
    """
    freqs, psd, background = (np.asarray(part, dtype=np.float64) for part in (freqs, psd, background))
    start, stop = np.searchsorted(freqs, low, "left"), np.searchsorted(freqs, high, "right")
    inside = start + np.flatnonzero(_usable(psd[start:stop], background[start:stop]))
    if not len(inside):
        raise ValueError(f"the range {low:g}..{high:g} Hz holds no bin with a value; give low <= high on the axis")
    ratio = psd[inside] / background[inside] - 1
    excess, peak = np.maximum(ratio, 0), int(ratio.argmax())
    flag = Flag(low, high, float(freqs[inside[peak]]), float(ratio[peak]))
    if not excess[peak] > 0:
        return replace(flag, kind="line" if len(inside) <= LINE_WIDTH else "hump")
    before, behind = max(inside[peak] - 1, 0), min(inside[peak] + 1, len(freqs) - 1)
    bin_width = float((freqs[behind] - freqs[before]) / (behind - before)) if len(freqs) > 1 else 0.0
    width = float(excess.sum() ** 2 / (excess**2).sum())
    is_wide = width > max(LINE_WIDTH, min(LINE_HERTZ, LINE_SHARE * flag.centre) / max(bin_width, 1e-30))
    edge = _step(freqs, psd, _usable(psd, background), inside) if is_wide or _one_sided(excess) else None
    if edge is not None:
        return replace(flag, kind="step", centre=edge)
    if is_wide:
        return replace(flag, kind="hump")
    half = CENTRE_HALF_WIDTH if width <= LINE_WIDTH else max(CENTRE_HALF_WIDTH, round(width / 2))
    near = slice(max(peak - half, 0), peak + half + 1)
    local, weight = freqs[inside][near], excess[near]
    centre = float(weight @ local / weight.sum())
    scatter = np.sqrt(((local - centre) ** 2 * (weight + 1) ** 2).sum() / n_segments) / weight.sum()
    uncertainty = float(np.hypot(scatter, SMALLEST_SPREAD * bin_width))
    return replace(flag, kind="line", centre=centre, uncertainty=uncertainty)


def _usable(psd: ndarray, background: ndarray) -> ndarray:
    """True where both are there."""
    return np.isfinite(psd) & np.isfinite(background) & (psd > 0) & (background > 0)


def _one_sided(excess: ndarray) -> bool:
    """A short flag whose excess is flat over it, as at the edge of a step, not peaked as in a line."""
    return len(excess) > LINE_WIDTH / 2 and float(np.median(excess)) > float(excess.max()) / 2


def _step(freqs: ndarray, psd: ndarray, usable: ndarray, inside: ndarray) -> float | None:
    """Where the level jumps, Hz, if the levels beside a flag differ by more than the flag stands out; else None.

    ln psd beside the flag is fitted with a line in ln f plus a jump.
    """
    width = max(SIDE_BINS, len(inside))
    left = np.flatnonzero(usable[: inside[0]])[-width:]
    right = inside[-1] + 1 + np.flatnonzero(usable[inside[-1] + 1 :])[:width]
    if min(len(left), len(right)) < SIDE_BINS:
        return None
    sides, around = np.concatenate([left, right]), np.concatenate([left, inside, right])
    log_freqs, log_psd = np.log(freqs), np.log(np.where(usable, psd, 1.0))
    jump = (sides > inside[-1]).astype(float)
    design = np.stack([np.ones(len(sides)), log_freqs[sides] - log_freqs[inside[0]], jump], axis=1)
    values, *_ = np.linalg.lstsq(design, log_psd[sides], rcond=None)
    residual = log_psd[sides] - design @ values
    error = np.sqrt(residual @ residual / (len(sides) - 3) * np.linalg.inv(design.T @ design)[2, 2])
    height = values[2]
    flat = log_psd - values[0] - values[1] * (log_freqs - log_freqs[inside[0]])  # 0 on the left, height on the right
    stands_out = flat[inside].mean() - max(height, 0.0)
    if abs(height) < max(STEP_HEIGHT, STEP_SIGNIFICANCE * error) or stands_out > abs(height) / 2:
        return None
    level = flat[around]
    counts = np.arange(1, len(level))
    before = np.cumsum(level)[:-1]
    gain = (before / counts - (level.sum() - before) / (len(level) - counts)) ** 2 * counts * (len(level) - counts)
    at = int(gain.argmax())
    return float((freqs[around[at]] + freqs[around[at + 1]]) / 2)
