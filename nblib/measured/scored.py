"""A spectrum that is scored, flagged at any false-alarm rate: ranges, background without them, notes."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.measured.arrays import check_false_alarm
from nblib.measured.flags import LINE_BINS, describe, flagged_ranges
from nblib.measured.humps import background_under, with_whole_humps
from nblib.measured.notes import on_first_bin
from nblib.measured.result import Detection
from nblib.measured.statistic.score import Scored
from nblib.measured.statistic.thresholds import Limits
from nblib.measured.statistic.whitening import Plan

LOOSER = (0.05, 0.1)  # false alarms per spectrum, at which structure is looked for that is noted


@dataclass(frozen=True, eq=False)
class ScoredSpectrum:
    """One spectrum, scored: all of a detection that does not depend on the false-alarm rate.

    Attributes
    ----------
    scored, limits : of statistic.score and statistic.thresholds
    messages : warnings
    humps : around the ranges that were flagged at some rate, as with_whole_humps keeps them
    stated : K as given, None where it is not
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    plan: Plan
    scored: Scored
    limits: Limits
    messages: tuple[str, ...]
    humps: dict = field(default_factory=dict)
    stated: ndarray | None = None

    def at(self, false_alarm: float) -> Detection:
        """The detection at a number of false alarms per line-free spectrum, in (0, 0.5]; raises ValueError outside."""
        check_false_alarm(false_alarm)
        parts = (self.freqs, self.psd, self.plan, self.scored, self.limits, self.humps)
        return replace(_detection(*parts, false_alarm, list(self.messages)), stated_segments=self.stated)

    def background_without(self, flagged: Bool[ndarray, " bin"]) -> Float[ndarray, " bin"]:
        """ln of the background fitted without the flagged bins, flagged by hand or by the detector; NaN at 0 Hz."""
        return background_under(self.scored.white, self.plan, flagged)


def _detection(freqs, psd, plan, scored: Scored, limits: Limits, humps, false_alarm, messages):
    n_judged, white = scored.n_judged, scored.white
    scores, threshold = limits.scores(scored.by_group, false_alarm, n_judged)
    ranges = _ranges_at(false_alarm, plan, scored, limits, humps)
    flagged = covered(ranges, plan)
    background = background_under(white, plan, flagged)
    probabilities = limits.probability(scored.by_group, n_judged)
    messages += _structure_seen(false_alarm, plan, scored, limits, humps, flagged) + on_first_bin(plan, white, flagged)
    return Detection(
        freqs,
        psd,
        scores,
        probabilities,
        threshold,
        false_alarm,
        background,
        describe(ranges, freqs, white.log_psd, background, probabilities),
        flagged,
        float(np.nanmedian(white.n_segments)),
        white.estimated,
        messages,
        scored.attention,
        white.n_segments,
    )


def _ranges_at(false_alarm, plan, scored, limits, humps):
    """First and last bin of each range flagged at a false-alarm rate."""
    white = scored.white
    scores, threshold = limits.scores(scored.by_group, false_alarm, scored.n_judged)
    group = (scores > scored.by_group[0]).astype(int)
    widths = np.take_along_axis(white.widths, group[None], axis=0)[0]
    excess = np.expm1(np.minimum(white.log_psd - white.background, 700.0))
    ranges = flagged_ranges(scores, widths, excess, 1 / np.sqrt(white.n_segments), threshold)
    return with_whole_humps(ranges, (group == 1) & (scores > threshold), white, plan, humps)


def _structure_seen(false_alarm, plan, scored, limits, humps, flagged):
    """Notes on broad ranges that are not flagged and would be at a higher rate."""
    notes, seen = [], flagged.copy()
    for rate in (rate for rate in LOOSER if rate > false_alarm):
        for low, high in _ranges_at(rate, plan, scored, limits, humps):
            if high - low >= LINE_BINS and not seen[low : high + 1].any():
                first, last = plan.grid.freqs[[low, high]]
                notes.append(
                    f"structure at {first:.6g}..{last:.6g} Hz: flagged at {rate:.0%}, not at {false_alarm:.3g}"
                )
                seen[low : high + 1] = True
    return notes


def covered(ranges, plan):
    """True at the measured bins of ranges, each its first and last bin; (bin,)."""
    flagged = np.zeros(len(plan.grid.freqs), dtype=bool)
    for low, high in ranges:
        flagged[low : high + 1] = True
    return flagged & plan.grid.valid
