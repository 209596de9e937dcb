"""What a detection notes beside its flags: a stated K that does not fit, a first bin that cannot be judged."""

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from numpy.typing import ArrayLike

from nblib.measured.statistic.score import Scored
from nblib.measured.statistic.whitening import FAR_FROM_ZERO, Plan, Whitened

STANDS_OUT = 8.0  # standard deviations
TOO_CALM = 1.5  # times: a stated K that says so much more scatter than there is may be wrong


def on_segments(n_segments: ArrayLike | None, scored: Scored) -> list[str]:
    """Where the stated K and the spectrum's own scatter differ much, in either direction.

    Parameters
    ----------
    n_segments : K as stated, one number or one per bin; None where it is not
    """
    if n_segments is None:
        return []
    stated, own = float(np.median(np.asarray(n_segments))), scored.white.own_segments
    if scored.dependence > 1:
        used = float(np.nanmedian(scored.judged.n_segments))
        return [f"n_segments={stated:.4g} is that of one bin; the blocks were judged with K = {used:.4g}, as measured"]
    if scored.white.estimated:
        return [
            f"the spectrum scatters more than n_segments={stated:.4g} says, as K = {own:.4g} would; the smaller K was "
            "used"
        ]
    if np.sqrt(own / stated) > TOO_CALM:
        return [
            f"the spectrum scatters less than n_segments={stated:.4g} says, as K = {own:.4g} would; the smaller K was "
            "used, so that weak lines may be missed: check the number of averages"
        ]
    return []


def on_values(scored: Scored) -> list[str]:
    """Neighbouring bins that depend on each other, values in steps, a display's floor."""
    notes, smeared = [], scored.smeared
    if scored.dependence > 1:
        notes.append(
            f"about {scored.dependence:.0f} neighbouring bins depend on each other (tapers, resolution bandwidth, zero "
            "padding or smoothing): blocks of half as many were averaged and judged, and finer lines are less sure"
        )
    if smeared.steps.any():
        coarse = float(np.median(smeared.steps / smeared.psd))
        notes.append(
            f"the values stand in steps, of {coarse:.2g} of the value in the median: they hide the scatter, so each "
            "value was drawn anew within its step before it was judged; write more digits"
        )
    if smeared.on_floor.any():
        notes.append(
            f"{smeared.on_floor.mean():.0%} of the bins stand at the lowest value, a floor of the display: they were "
            "drawn anew below it, and the background there is a guess"
        )
    return notes


def on_first_bin(plan: Plan, white: Whitened, flagged: Bool[ndarray, " bin"]) -> list[str]:
    """A first bin that stands out where a line and a wall of the background look alike."""
    first, second = plan.grid.index[:2]
    freq, excess = plan.grid.freqs[first], np.expm1(min(white.log_psd[first] - white.background[first], 700.0))
    is_far = freq >= FAR_FROM_ZERO * (plan.grid.freqs[second] - freq)
    if is_far or flagged[first] or excess * np.sqrt(white.n_segments[first]) < STANDS_OUT:
        return []
    return [
        f"the first bin, {freq:.6g} Hz, stands {excess:.3g} x above the background and is not judged: so near to 0 Hz "
        "a line and a wall of the background look alike"
    ]
