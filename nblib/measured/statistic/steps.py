"""Values that a display or a file has written in coarse steps, or not below a floor: what they may have been.

A step hides the scatter of the estimate: many bins have the same value, and the few others stand out. So each value is
drawn anew, evenly within its own step, and a value on a display's floor from the estimate's distribution below it.
The draws are the same whenever the same spectrum comes again.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import percentile_filter, uniform_filter1d
from scipy.special import gammainc, gammaincinv

from nblib.measured.statistic.scatter import rounding_step

TIES = 0.2  # share of the bins whose value another bin has as well, from which on steps are looked for
COARSE = 0.03  # of the value: finer steps are left alone
DIGITS = 10  # significant ones of a value as it was read
WHOLE, NEARLY_ALL = 0.03, 0.98  # of a step: how near values are to whole ones, and how many are
ON_FLOOR, FEWEST_ON_FLOOR = 0.05, 10  # share and number of the bins at the lowest value, from which on it is a floor
FLOOR_WINDOW = 201  # bins, over which the level under a floor is taken as one
MOST_ON_FLOOR = 0.95  # share of a window, that is reckoned with
LOW, HIGH = 0.25, 0.75  # quantiles of what stands above the floor
SEGMENTS = np.geomspace(0.5, 500, 60)  # K that are tried under a floor
SEED = 0


@dataclass(frozen=True, eq=False)
class Smeared:
    """A spectrum whose steps are undone.

    Attributes
    ----------
    psd : unit^2/Hz
    steps : (bin,) of the values as written, unit^2/Hz; 0 where they are fine
    on_floor : True at the bins that stood on the lowest value
    """

    psd: Float[ndarray, " bin"]
    steps: Float[ndarray, " bin"]
    on_floor: Bool[ndarray, " bin"]


def smeared(psd: Float[ndarray, " bin"]) -> Smeared:
    """The values of the measured bins without the steps and the floor that they were written with.

    Parameters
    ----------
    psd : unit^2/Hz, positive
    """
    none = np.zeros(len(psd), dtype=bool)
    read = np.array([float(f"{value:.{DIGITS - 1}e}") for value in psd]) if _ties(psd) >= ON_FLOOR else psd
    ties = _ties(read)
    if ties < ON_FLOOR:
        return Smeared(psd, np.zeros(len(psd)), none)
    steps = value_steps(read) if ties >= TIES else np.zeros(len(psd))
    rng = np.random.default_rng(SEED)
    low, counts = np.unique(read, return_counts=True)
    floored = not steps.any() and counts[0] >= max(FEWEST_ON_FLOOR, ON_FLOOR * len(read))
    if floored:
        on_floor = read == low[0]
        return Smeared(_below_floor(psd, on_floor, rng), steps, on_floor)
    if (steps / psd).max() < COARSE:
        return Smeared(psd, np.zeros(len(psd)), none)
    drawn = psd + steps * rng.uniform(-0.5, 0.5, len(psd))
    return Smeared(np.where(drawn > 0, drawn, psd), steps, none)


def _ties(values):
    """Share of the values that occur before."""
    return 1 - len(np.unique(values)) / len(values)


def value_steps(psd: Float[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """Step of each value as written: whole steps of the power, of its root or of its logarithm, or so many digits.

    Returns
    -------
    unit^2/Hz; 0 where no step is seen
    """
    digits = rounding_step(psd)
    digit_steps = psd * digits if digits >= COARSE else np.zeros(len(psd))
    slopes = ((np.asarray(psd), np.ones(len(psd))), (np.sqrt(psd), 2 * np.sqrt(psd)), (np.log(psd), psd))
    for values, slope in slopes:
        if step := _whole_step(values):
            return np.maximum(step * slope, digit_steps)
    return digit_steps


def _whole_step(values):
    """The step that all values are whole numbers of, counted from the lowest; 0 if there is none."""
    levels = np.unique(values)
    if len(levels) < 2:
        return 0.0
    gaps = np.diff(levels)
    step = gaps[gaps > 1e-7 * np.abs(levels).max()].min(initial=np.inf)
    if not np.isfinite(step):
        return 0.0
    away = (levels - levels[0]) / step
    is_whole = np.abs(away - np.round(away)) < WHOLE
    return float(step) if is_whole.mean() >= NEARLY_ALL else 0.0


def _below_floor(psd, on_floor, rng):
    """Values drawn for the bins on the floor, from the Gamma distribution that what stands above it follows."""
    size = min(FLOOR_WINDOW, len(psd) // 2 * 2 - 1)
    share = np.minimum(uniform_filter1d(on_floor.astype(float), size, mode="reflect"), MOST_ON_FLOOR)
    quantiles = [share + part * (1 - share) for part in (LOW, HIGH)]
    levels = [_local_quantile(psd, quantile, size) for quantile in quantiles]
    ratio = np.median(np.log(levels[1] / levels[0])[on_floor])
    typical = [float(np.median(quantile[on_floor])) for quantile in quantiles]
    spread = np.log(gammaincinv(SEGMENTS, typical[1]) / gammaincinv(SEGMENTS, typical[0]))
    segments = float(np.interp(-ratio, -spread, SEGMENTS))
    scale = levels[0] / gammaincinv(segments, quantiles[0])
    below = gammainc(segments, psd / scale) * rng.uniform(0, 1, len(psd))
    drawn = np.maximum(gammaincinv(segments, below) * scale, 1e-3 * psd)
    return np.where(on_floor, np.minimum(drawn, psd), psd)


def _local_quantile(values, quantile, size):
    """The quantile of a window around each bin, the quantile given by bin; in steps of 2 %."""
    quantiles = np.empty(len(values))
    for step in np.unique(np.round(50 * quantile)):
        here = np.round(50 * quantile) == step
        quantiles[here] = percentile_filter(values, 2 * step, size, mode="reflect")[here]
    return quantiles
