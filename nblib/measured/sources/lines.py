"""What a flagged range looks like: a line with its centre below a bin, a hump, or a step of the level."""

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray

LINE_WIDTH = 8.0  # bins; excess that is spread over more is a hump
CENTRE_HALF_WIDTH = 3  # bins on each side of the peak that its centre is taken from
SMALLEST_SPREAD = 0.1  # bins; windows and bins limit a centre, however strong the line
SIDE_BINS = 15  # at least this many bins beside a flag give the levels on its two sides
STEP_HEIGHT = 0.5  # ln units; a smaller jump of the level is not called a step
STEP_SIGNIFICANCE = 5.0  # standard errors


@dataclasses.dataclass(frozen=True)
class Feature:
    """One flagged range of a spectrum.

    Attributes
    ----------
    fmin, fmax : Hz
    centre, uncertainty : of a line, Hz; None: the middle, and half a bin
    strength : largest excess over the background, times; strong lines are looked at first
    kind : "line", "hump" or "step"; for a step, centre is where the level jumps
    """

    fmin: float
    fmax: float
    centre: float | None = None
    uncertainty: float | None = None
    strength: float = 1.0
    kind: str = "line"


def describe_range(
    freqs: Float[ndarray, " bin"],
    psd: Float[ndarray, " bin"],
    background: Float[ndarray, " bin"],
    low: float,
    high: float,
    n_segments: float = 8,
) -> Feature:
    """Kind, centre and strength of one flagged range.

    Parameters
    ----------
    freqs : Hz, increasing
    psd, background : unit^2/Hz on freqs; NaN where missing
    low, high : the range, Hz, both included
    n_segments : K, averaged segments, for the centre's uncertainty

    Returns
    -------
    A line where the excess r = psd / background - 1 has a width (sum r)^2 / sum r^2 of at most eight bins. Its centre
    is c = sum f r / sum r within three bins of the peak, with var c = sum (f - c)^2 (r + 1)^2 / K / (sum r)^2, at least
    (0.1 bin)^2. Else a step, where the levels beside the range differ more than it stands out; else a hump.

    Raises
    ------
    ValueError : no bin of the range can be used, or the range is upside down
    """
    freqs, psd, background = (np.asarray(part, dtype=np.float64) for part in (freqs, psd, background))
    usable = np.isfinite(psd) & np.isfinite(background) & (psd > 0) & (background > 0)
    inside = np.flatnonzero(usable & (freqs >= low) & (freqs <= high))
    if not len(inside):
        raise ValueError(f"the range {low:g}..{high:g} Hz holds no bin with a value; give low <= high on the axis")
    excess = np.maximum(psd[inside] / background[inside] - 1, 0)
    strength = float(excess.max())
    if not strength > 0:
        return Feature(low, high, strength=0.0, kind="line" if len(inside) <= LINE_WIDTH else "hump")
    if excess.sum() ** 2 / (excess**2).sum() > LINE_WIDTH or _one_sided(excess):
        edge = _step(freqs, psd, usable, inside)
        if edge is not None:
            return Feature(low, high, centre=edge, strength=strength, kind="step")
    if excess.sum() ** 2 / (excess**2).sum() > LINE_WIDTH:
        return Feature(low, high, strength=strength, kind="hump")
    peak = int(excess.argmax())
    near = slice(max(peak - CENTRE_HALF_WIDTH, 0), peak + CENTRE_HALF_WIDTH + 1)
    local, weight = freqs[inside][near], excess[near]
    centre = float(weight @ local / weight.sum())
    scatter = np.sqrt(((local - centre) ** 2 * (weight + 1) ** 2).sum() / n_segments) / weight.sum()
    bin_width = np.gradient(freqs)[inside[peak]] if len(freqs) > 1 else 0.0
    return Feature(low, high, centre, float(np.hypot(scatter, SMALLEST_SPREAD * bin_width)), strength, "line")


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
