"""`--reference OFF.csv ON.csv`: what a source adds, flagged on the ratio of a spectrum with it on to one with it off.

The protocol is docs/on_off.md.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.typing import ArrayLike

from nblib.measured.arrays import checked_spectrum, measured_bins
from nblib.measured.causes import with_causes
from nblib.measured.detector import NoiseDetector
from nblib.measured.figure import plot_pair
from nblib.measured.flags import describe, flagged_ranges
from nblib.measured.measurement import Measurement
from nblib.measured.result import Detection
from nblib.measured.scored import covered
from nblib.measured.sources.known import KnownLine
from nblib.measured.statistic.dependence import dependence_lengths
from nblib.measured.statistic.own_thresholds import SAME_BIN, axis_words
from nblib.measured.statistic.pair import Pair, judge_pair, lag_one, norms_of, pair_thresholds, slow_course
from nblib.measured.statistic.scatter import CLASS_LIMIT
from nblib.measured.statistic.steps import smeared
from nblib.measured.statistic.whitening import MIN_BINS, Plan, whiten
from nblib.project.registry import refuse_if

SAME_WIDTH = 0.1  # of a bin's width, that the widths may differ
HALF_SHARED = (0.12, 0.34)  # correlation of the ratio's neighbouring bins where one of two windows is Hann's
OTHER_WINDOW, SURE_OF_IT = 0.25, 4.0  # difference of those of the two spectra, and its standard errors, to refuse
SHOWN_DRIFT = 1.1  # times: a slow course of the level that is noted


@dataclass(frozen=True, eq=False)
class SwitchedDetection(Detection):
    """What a source adds to a spectrum; background, excess and flags are relative to the scaled reference.

    Attributes
    ----------
    reference : label of the spectrum with the source off
    scale : (bin,) of on over off without the source: gain and drift
    ratio : (bin,) on over scaled off
    pair_segments : K of on and of off that were used; n_segments is that of a spectrum which scatters as the ratio does
    """

    reference: str = ""
    scale: Float[ndarray, " bin"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    ratio: Float[ndarray, " bin"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    pair_segments: tuple[float, float] = (np.nan, np.nan)

    @property
    def spectrum_segments(self) -> float:
        """K of the spectrum itself."""
        return self.pair_segments[0]

    def more(self) -> dict[str, Any]:
        """The reference, for the JSON: its label, K used, and the range of the scale."""
        scale = [float(np.nanmin(self.scale)), float(np.nanmax(self.scale))]
        return {"reference": {"file": self.reference, "segments": self.pair_segments[1], "scale": scale}}

    def plot(self, ax=None, unit: str | None = None):
        """On, scaled off and flags, and below them the ratio; ax : two axes, those of a new figure if None."""
        return plot_pair(self, ax, unit)


class SwitchedDetector(NoiseDetector):
    """Flags what a source adds to spectra, against one spectrum that was measured with it off.

    Both have the same frequencies, window and smoothing; K may differ. A false alarm is any flag on a pair between
    which nothing was switched.

    Parameters
    ----------
    off : the spectrum with the source off
    progress : called with the share done while thresholds of a new kind of pair are simulated (once; then kept)
    """

    def __init__(self, off: Measurement, progress: Callable[[float], None] | None = None):
        super().__init__(progress, network=False)
        self.off = off
        self._values_off = _values_of(off.freqs, off.psd, off.label)

    @classmethod
    def of(cls, freqs: ArrayLike, psd: ArrayLike, n_segments: float | None = None) -> "SwitchedDetector":
        """From arrays: Hz, unit^2/Hz, and K or None."""
        return cls(Measurement("reference", "", np.asarray(freqs, float), np.asarray(psd, float), None, n_segments))

    def detect(
        self,
        freqs: ArrayLike,
        psd: ArrayLike,
        n_segments: ArrayLike | None = None,
        false_alarm: float = 0.01,
        sampling_rate: float | None = None,
        known: Sequence[KnownLine] = (),
    ) -> SwitchedDetection:
        """Flag what the source adds to one spectrum; parameters as NoiseDetector.detect has them.

        K is used where it is stated for both spectra; else one K of both is measured on the ratio.

        Raises
        ------
        ValueError where the two spectra cannot be compared, with what differs
        """
        on = _values_of(freqs, psd, "psd")
        values, notes = self._on_axis(on)
        log_ratio = on.log_psd - values
        refuse_if(
            not np.nan_to_num(log_ratio).any(),
            f"these are the values of the reference {self.off.label} itself; name spectra with the source on",
        )
        plan = Plan.of(on.freqs, np.isfinite(log_ratio))
        stated = None
        if n_segments is not None and self.off.n_segments is not None:
            stated = float(np.median(np.asarray(n_segments))), float(self.off.n_segments)
        correlated = self._is_correlated(on, log_ratio, plan)
        judged = judge_pair(log_ratio, plan, norms_of(plan), stated, correlated)
        limits = pair_thresholds(
            plan, stated or judged.segments, stated is not None, correlated, progress=self.progress
        )
        threshold = limits.threshold(false_alarm, len(plan.grid.index))
        notes += self._notes(judged, stated) + self._lowered(log_ratio, plan, stated, correlated, threshold)
        detection = self._found(on, judged, plan, limits, false_alarm, [*notes, *self._on_steps(on)], stated is None)
        named: Any = with_causes(detection, sampling_rate, known)
        own = np.where(np.isfinite(log_ratio), on.psd, np.nan)
        return dataclasses.replace(named, psd=own, background=np.log(detection.scale) + values)

    def _found(self, on: "_Values", judged: Pair, plan: Plan, limits, false_alarm, notes, estimated):
        """The detection on the ratio itself, so that kinds of flags are those of the ratio."""
        n_judged = len(plan.grid.index)
        threshold = limits.threshold(false_alarm, n_judged)
        ranges = _ranges(judged, threshold)
        scale = np.exp(np.interp(np.arange(len(on.freqs)), plan.grid.index, np.log(judged.scale[plan.grid.index])))
        probabilities = limits.probability(judged.scores, n_judged)
        segments = 1 / (1 / judged.segments[0] + 1 / judged.segments[1])
        ratio = judged.ratio
        return SwitchedDetection(
            on.freqs,
            ratio,
            judged.scores,
            probabilities,
            threshold,
            false_alarm,
            np.zeros(len(ratio)),
            describe(ranges, on.freqs, np.log(ratio), np.zeros(len(ratio)), probabilities),
            covered(ranges, plan),
            segments,
            estimated,
            notes,
            bin_segments=np.where(plan.grid.valid, segments, np.nan),
            reference=self.off.label,
            scale=scale,
            ratio=ratio,
            pair_segments=judged.segments,
        )

    def _scored(self, freqs, psd, plan, n_segments):
        raise ValueError(
            "a spectrum beside a reference is flagged as it is read: table rows and changes by hand need "
            "spectra without reference=FILE"
        )

    def _is_correlated(self, on: "_Values", log_ratio, plan: Plan) -> bool:
        """Do neighbouring bins correlate as Hann's; raises ValueError where windows differ, or bins depend further.

        Both are measured on the ratio, where the texture of the background is gone.
        """
        index = plan.grid.index
        slow = slow_course(log_ratio[index], plan)
        lengths = np.median(dependence_lengths(log_ratio[index] - slow))
        refuse_if(
            lengths > 1,
            f"about {lengths:.0f} neighbouring bins of this spectrum, or of {self.off.label}, depend on each other "
            "(tapers, resolution bandwidth, zero padding or smoothing): average as many bins to one in both first",
        )
        shared = lag_one(log_ratio[index] - slow, np.diff(index) == 1)
        if HALF_SHARED[0] < shared < HALF_SHARED[1]:
            first, second = (one.lag_one() for one in (on, self._values_off))
            refuse_if(
                abs(first - second) > max(OTHER_WINDOW, SURE_OF_IT * np.sqrt(2 / len(index))),
                f"neighbouring bins of this spectrum correlate by {first:.2f}, those of {self.off.label} by "
                f"{second:.2f} (Hann: 0.46, no window: 0): measure both with the same window",
            )
        return shared > CLASS_LIMIT

    def _on_axis(self, on: "_Values") -> tuple[Float[ndarray, " bin"], list[str]]:
        """ln of the reference at the spectrum's bins, NaN where it has none, and what there is to say of it."""
        log_off, freqs = self._values_off.log_psd, self.off.freqs
        nearest = np.clip(np.searchsorted(freqs, on.freqs), 1, len(freqs) - 1)
        nearest -= on.freqs - freqs[nearest - 1] < freqs[nearest] - on.freqs
        widths, own = np.gradient(freqs)[nearest], np.gradient(on.freqs)
        same = (np.abs(freqs[nearest] - on.freqs) <= SAME_BIN * own) & (np.abs(widths / own - 1) <= SAME_WIDTH)
        words = f"this spectrum has {axis_words(on.freqs)}, {self.off.label} {axis_words(freqs)}"
        refuse_if(same.sum() < MIN_BINS, f"{words}: measure both with the same frequencies")
        values = np.where(same, log_off[nearest], np.nan)
        if same.all():
            return values, []
        return values, [f"{words}: {int((~same).sum())} bins without the same bin in the reference are not judged"]

    def _notes(self, judged: Pair, stated) -> list[str]:
        on, off = judged.segments
        low, high = np.nanmin(judged.scale), np.nanmax(judged.scale)
        known = "" if stated is not None else ", measured on the ratio as K is not stated for both"
        notes = [f"judged by its ratio to {self.off.label} (K = {on:.4g} and {off:.4g}{known})"]
        if high > SHOWN_DRIFT or low < 1 / SHOWN_DRIFT:
            notes.append(
                f"without flags it is {low:.3g} to {high:.3g} times {self.off.label}: so slow a course is taken as "
                "gain or drift, and an excess over more than an eighth of the axis would not be flagged"
            )
        if judged.lowered:
            notes.append(
                "the ratio scatters more than both K say, so smaller ones were used: the level was not steady, or K "
                "is not right"
            )
        return notes

    def _lowered(self, log_ratio, plan, stated, correlated, threshold) -> list[str]:
        """Where the spectrum lies below the reference by as much as a flag would lie above it."""
        turned = None if stated is None else (stated[1], stated[0])
        ranges = _ranges(judge_pair(-log_ratio, plan, norms_of(plan), turned, correlated), threshold)
        if not ranges:
            return []
        where = ", ".join(f"{plan.grid.freqs[low]:.6g}..{plan.grid.freqs[high]:.6g}" for low, high in ranges[:3])
        return [
            f"lower than {self.off.label} at {where} Hz{' and elsewhere' if len(ranges) > 3 else ''}: more than the "
            "source has changed between the two; measure off, on, off"
        ]

    def _on_steps(self, on: "_Values") -> list[str]:
        """Where either spectrum was written in coarse steps."""
        both = {"this spectrum": on.has_steps, self.off.label: self._values_off.has_steps}
        return [
            f"the values of {name} stand in steps: each was drawn anew within its step; write more digits"
            for name, has_steps in both.items()
            if has_steps
        ]


@dataclass(frozen=True, eq=False)
class _Values:
    """A spectrum as it is compared: (bin,), ln of unit^2/Hz, NaN where missing."""

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    log_psd: Float[ndarray, " bin"]
    has_steps: bool

    def lag_one(self) -> float:
        """Correlation of neighbouring bins about the detector's background."""
        plan = Plan.of(self.freqs, np.isfinite(self.log_psd))
        white, index = whiten(np.exp(self.log_psd), plan), plan.grid.index
        return lag_one((white.log_psd - white.background)[index], np.diff(index) == 1)


def _values_of(freqs, psd, name) -> _Values:
    """A spectrum, its steps undone; raises ValueError for another object."""
    axis, row = checked_spectrum(freqs, psd)
    valid = measured_bins(row, name) & (axis > 0)
    unstepped = smeared(row[valid])
    log_psd = np.full(len(axis), np.nan)
    log_psd[valid] = np.log(unstepped.psd)
    return _Values(axis, np.where(valid, row, np.nan), log_psd, bool(unstepped.steps.any() or unstepped.on_floor.any()))


def _ranges(judged: Pair, threshold: float) -> list[tuple[int, int]]:
    """First and last bin of each range above the threshold."""
    scatter = np.full(len(judged.scores), np.sqrt(1 / judged.segments[0] + 1 / judged.segments[1]))
    return flagged_ranges(judged.scores, judged.widths, judged.ratio - 1, scatter, threshold)
