"""One spectrum, whitened: its robust backgrounds, its scatter, and the scores of the filter bank on both.

The scores are the detector's statistic. They do not change when the spectrum is multiplied by a number.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import maximum_filter1d, median_filter

from nblib.measured.statistic.background import SOFT, STIFF, Grid, median, robust_background
from nblib.measured.statistic.bank import (
    ALLOWANCE,
    OVERFLOW,
    bank_widths,
    filter_scores,
    log_tail,
    seen_through,
    template_norms,
)
from nblib.measured.statistic.scatter import (
    grid_correlation,
    local_segments,
    lower_spread,
    rounding_step,
    segments_of_spread,
)
from nblib.smoothing import log_median

MIN_BINS = 30  # measured bins
MISTRUST = 1.25  # a scatter that is this much larger than K says is believed instead of K
DOUBT = 3.0  # over the root of the number of bins: a scatter that is this much larger than K says may be chance
MERGED = 2.0  # times: from this ratio of the largest to the smallest K on, parts of the axis are judged apart
DISAGREEMENT = 1.0  # of soft and stiff background, ln units, that counts as uncertainty of the stiff one
GROUPS = ("narrow", "broad")  # of templates: what looks like a line, and what a background may look like as well
NARROW_WIDTH = 1.2  # bins; a broader template belongs to the second group
STIFF_WIDTH = 5.0  # bins; broader templates against the stiff background answer to knees
BROAD_SHARE, BROAD_BINS = 0.6, 31  # of the frequency, and bins: what fills half of such a window may be background
NOTCH, NOTCH_REACH = 5.0, 20  # standard deviations below the background, and bins beside it that count as uncertain
END_BINS = 3  # on either end, in which a line may have one side only
FAR_FROM_ZERO = 20.0  # bin widths from 0 Hz to the first bin, from which on no power law is as steep as a line
REDRAWN = 6.0  # squared steps over the variance of a value that was rounded and drawn anew, both evenly
START_SCATTER = 0.02  # ln units, where K is not known yet; a larger one is found from the residual itself


@dataclass(frozen=True, eq=False)
class Whitened:
    """What the filter bank makes of one spectrum; bins along the last axis, NaN where a bin is missing.

    Attributes
    ----------
    by_group : -ln p of a single test, the largest over backgrounds and the filters of each of GROUPS; where the soft
        and the stiff background disagree, their difference is added to the stiff one's uncertainty, so that knees and
        roll-offs are not flagged as humps; beside notches, in broad excess and in excess that goes on to an end of the
        axis both are less certain
    widths : of the template that gave by_group, bins
    log_psd : ln x
    background : ln of the soft background, at the level of the mean
    n_segments : (bin,) K used: as stated, or as measured where that is smaller by more than chance explains
    own_segments : K as measured on the spectrum, the median over bins
    estimated : does the measured K count, as none was stated or the spectrum scatters clearly more
    correlation : of neighbouring bins
    """

    by_group: Float[ndarray, "2 bin"]
    widths: Float[ndarray, "2 bin"]
    log_psd: Float[ndarray, " bin"]
    background: Float[ndarray, " bin"]
    n_segments: Float[ndarray, " bin"]
    own_segments: float
    estimated: bool
    correlation: tuple[float, float]

    @property
    def scores(self) -> Float[ndarray, " bin"]:
        """The larger of the groups' scores."""
        return self.by_group.max(axis=0)


@dataclass(frozen=True, eq=False)
class Plan:
    """What all spectra of one grid with the same missing bins share."""

    grid: Grid
    widths: tuple[float, ...]
    norms: Float[ndarray, "width bin"]

    @classmethod
    def of(cls, freqs: Float[ndarray, " bin"], valid: Bool[ndarray, " bin"]) -> "Plan":
        """The plan of a frequency axis.

        Raises
        ------
        ValueError for fewer than 30 measured bins at f > 0
        """
        valid = valid & (freqs > 0)
        if valid.sum() < MIN_BINS:
            raise ValueError(
                f"{int(valid.sum())} measured bins at f > 0; at least {MIN_BINS} are needed to tell a line from the "
                "background: use a finer frequency resolution"
            )
        widths = bank_widths(len(freqs))
        return cls(Grid(freqs, valid), widths, template_norms(valid.astype(float), widths))


def _scatter(residual, psd, log_spacing, n_segments, steps):
    """K per measured bin, K as the spectrum's own scatter has it, and whether that is what counts.

    The smaller of stated and measured K counts, where chance does not explain the difference: knowing K must not raise
    false alarms where the background is rough. It counts as measured where no K is stated, or where the residual
    scatters clearly more than the stated K allows; then it is measured along the axis. A value that was drawn anew
    within its step scatters at least by that.
    """
    own = local_segments(residual, log_spacing)
    if floor := rounding_step(psd):
        own = np.minimum(own, 4 / floor**2)
    most = np.full(len(psd), np.inf)
    if np.any(steps):
        most = (
            REDRAWN / np.maximum(median_filter(steps * np.exp(residual) / psd, BROAD_BINS, mode="nearest"), 1e-9) ** 2
        )
    own = np.minimum(own, most)
    if n_segments is None:
        return own, own, True
    given = np.minimum(np.broadcast_to(np.asarray(n_segments, dtype=np.float64), residual.shape), most)
    typical = segments_of_spread(max(lower_spread(residual * np.sqrt(given / given.min())), 1e-12))
    if np.sqrt(given.min() / typical) > MISTRUST:
        return np.minimum(given, own), own, True
    if given.max() < MERGED * given.min():
        chance = np.sqrt(given.min() / typical) < 1 + DOUBT / np.sqrt(len(residual))
        return given * (1.0 if chance else typical / given.min()), own, False
    wilder = np.sqrt(given / own) > MISTRUST  # where bins of a tapered estimator were merged they were correlated
    return np.where(wilder, own, given), own, bool(wilder.any())


def _bend(background):
    """Largest second difference of the background around each bin, ln units: the curve is that uncertain there."""
    bend = np.abs(np.diff(background, 2))
    return maximum_filter1d(np.concatenate([bend[:1], bend, bend[-1:]]), 3)


def _one_sided(residual, freqs):
    """Excess that goes on to an end of the axis, per measured bin: a wall of the background; a line has two sides.

    A line on one of the last END_BINS bins has no outer side: there the excess that counts is the one that the next
    bins inwards lead to. So it is for the first bins, unless they are so few bin widths from 0 Hz that a power law
    climbs as steeply as a line.
    """
    excess = np.maximum(residual, 0.0)
    low, high = np.minimum.accumulate(excess), np.minimum.accumulate(excess[::-1])
    high[:END_BINS] = np.minimum(high[:END_BINS], _led_to(excess[::-1]))
    if freqs[0] >= FAR_FROM_ZERO * (freqs[1] - freqs[0]):
        low[:END_BINS] = np.minimum(low[:END_BINS], _led_to(excess))
    return np.maximum(low, high[::-1])


def _led_to(excess):
    """Excess of the first END_BINS bins that the three behind them lead to, the end first.

    ln(1 + excess) goes on with the smaller of their two steps: a rise has both, the skirt of a line has one.
    """
    outer, middle, inner = np.log1p(excess[END_BINS : END_BINS + 3])
    step = max(min(outer - middle, middle - inner), 0.0)
    return np.expm1(np.minimum(min(outer, middle) + step * np.arange(END_BINS + 1, 1, -1), OVERFLOW))


def _beside_notches(residual, segments):
    """Depth of the deepest notch near each measured bin, ln units, beyond what the scatter explains.

    External noise only adds power: where bins lie far below the curve it has left the background around them as well.
    """
    depth = np.maximum(-residual - NOTCH / np.sqrt(segments), 0.0)
    return maximum_filter1d(depth, 2 * NOTCH_REACH + 1)


def _broad_excess(residual, freqs):
    """Median of the residual over a window that holds BROAD_BINS bins and BROAD_SHARE of ln f, per measured bin.

    A resonance of the device, a shoulder or a rising end fills such a window, a line does not. The window is the same
    number of cells everywhere; a cell is one bin where bins are coarse in ln f, else the mean of several.
    """
    steps = np.minimum(np.diff(np.log(freqs)) / BROAD_SHARE, 1 / BROAD_BINS) * BROAD_BINS
    position = np.concatenate([[0.0], np.cumsum(steps)])
    starts = np.flatnonzero(np.diff(np.floor(position + 1e-6), prepend=-1))
    counts = np.diff(np.append(starts, len(residual)))
    cells = np.add.reduceat(residual, starts) / counts
    centres = np.add.reduceat(position, starts) / counts
    size = min(BROAD_BINS, 2 * ((len(cells) - 1) // 2) + 1)
    return np.interp(position, centres, median_filter(cells, size, mode="reflect"))


def whiten(
    psd: Float[ndarray, " bin"],
    plan: Plan,
    n_segments: float | ndarray | None = None,
    steps: float | Float[ndarray, " measured"] = 0.0,
) -> Whitened:
    """Backgrounds, scatter and scores of one spectrum.

    Parameters
    ----------
    psd : unit^2/Hz; only the plan's measured bins are read
    n_segments : K, one number or one per bin; None: measured
    steps : unit^2/Hz, that the measured bins' values were written in, where that hides their scatter
    """
    index, n_bins = plan.grid.index, len(plan.grid.freqs)
    log_psd = np.log(psd[index])
    given = None if n_segments is None else np.broadcast_to(np.asarray(n_segments, float), (n_bins,))[index]
    start = START_SCATTER if given is None else 1 / np.sqrt(given)
    soft = robust_background(log_psd, plan.grid, start, SOFT)
    segments, own, estimated = _scatter(log_psd - soft, psd[index], plan.grid.log_spacing, given, steps)
    centred = (log_psd - soft) * np.sqrt(segments)
    correlation = grid_correlation(centred / max(lower_spread(centred), 1e-9), index, plan.grid.log_spacing)
    stiff = robust_background(log_psd, plan.grid, 1 / np.sqrt(segments), STIFF)
    middle = log_median(segments)
    by_group, widths = _strongest(log_psd, (soft, stiff), middle, segments, correlation, plan)

    def spread(values):
        full = np.full(n_bins, np.nan)
        full[index] = values
        return full

    return Whitened(
        by_group,
        widths,
        spread(log_psd),
        spread(soft - middle),
        spread(segments),
        median(own),
        estimated,
        correlation,
    )


def _strongest(log_psd, backgrounds, middle, segments, correlation, plan):
    """Scores and widths of the strongest filter of each group at each bin, over both backgrounds.

    All but the plan is given at the measured bins; the stiff background takes the narrow filters alone. middle : ln of
    the estimate's median over its mean.
    """
    soft, stiff = backgrounds
    index, n_bins = plan.grid.index, len(plan.grid.freqs)
    positions, measured = np.arange(n_bins), plan.grid.valid.astype(float)
    excess = log_psd - soft
    broad = np.abs(_broad_excess(excess, plan.grid.freqs[index]))
    broad += _beside_notches(excess - middle, segments)
    per_bin = np.interp(positions, index, segments)
    filters = np.array(plan.widths)
    groups = (filters <= NARROW_WIDTH, filters > NARROW_WIDTH)
    best, widths = np.full((2, n_bins), -np.inf), np.zeros((2, n_bins))
    for background, n_widths in ((soft, len(filters)), (stiff, int((filters <= STIFF_WIDTH).sum()))):
        residual = np.zeros(n_bins)
        residual[index] = np.expm1(np.minimum(log_psd - background + middle, OVERFLOW))
        allowance = ALLOWANCE + _bend(background) + DISAGREEMENT * np.abs(background - soft) + broad
        one_sided = np.zeros(n_bins)
        one_sided[index] = _one_sided(residual[index], plan.grid.freqs[index])
        beneath = seen_through(one_sided, plan.widths[:n_widths], plan.norms[:n_widths])  # a wall far from its foot
        deviations = filter_scores(
            residual,
            per_bin,
            measured,
            correlation,
            plan.widths[:n_widths],
            plan.norms[:n_widths],
            np.interp(positions, index, allowance) + np.maximum(beneath, 0.0),
        )
        for number, group in enumerate(groups):
            members = np.flatnonzero(group[:n_widths])
            if not len(members):
                continue
            row = members[deviations[members[0] : members[-1] + 1].argmax(axis=0)]  # the members follow one another
            here = deviations[row, positions]
            wins = here > best[number]
            best[number] = np.where(wins, here, best[number])
            widths[number] = np.where(wins, filters[row], widths[number])
    missing = ~plan.grid.valid
    by_group = log_tail(best)
    by_group[:, missing], widths[:, missing] = np.nan, np.nan
    return by_group, widths
