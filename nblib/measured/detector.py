"""Which parts of a measured spectrum are contaminated: scores, flagged ranges and the background without them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from numpy.typing import ArrayLike

from nblib.measured.causes import with_causes
from nblib.measured.flags import LINE_BINS, describe, flagged_ranges
from nblib.measured.humps import background_under, with_whole_humps
from nblib.measured.notes import on_first_bin, on_segments, on_values
from nblib.measured.result import Detection
from nblib.measured.sources.known import KnownLine
from nblib.measured.statistic.network import FEWEST_BINS, FEWEST_SEGMENTS, MOST_BINS, load_weights
from nblib.measured.statistic.own_thresholds import OwnThresholds
from nblib.measured.statistic.score import Scored, score_spectrum
from nblib.measured.statistic.thresholds import Limits, thresholds_for
from nblib.measured.statistic.whitening import Plan
from nblib.measured.welch import mask_as_missing, welch_spectrum
from nblib.project.memory import keep_freed_memory

LOOSER = (0.05, 0.1)  # false alarms per spectrum, at which structure is looked for that is noted


@dataclass(frozen=True, eq=False)
class ScoredSpectrum:
    """One spectrum, scored: all of a detection that does not depend on the false-alarm rate.

    Attributes
    ----------
    scored, limits : of detection.combination and detection.false_alarms
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
        _check_false_alarm(false_alarm)
        parts = (self.freqs, self.psd, self.plan, self.scored, self.limits, self.humps)
        return replace(_detection(*parts, false_alarm, list(self.messages)), stated_segments=self.stated)

    def background_without(self, flagged: Bool[ndarray, " bin"]) -> Float[ndarray, " bin"]:
        """ln of the background fitted without the flagged bins, whoever flagged them; NaN at 0 Hz."""
        return background_under(self.scored.white, self.plan, flagged)


class NoiseDetector:
    """Finds lines, humps and steps on a background whose form nobody needs to know.

    The score of a bin is a classical -ln p with the evidence of a network that was trained on many backgrounds added;
    what it takes to be flagged comes from line-free spectra of such backgrounds. Spectra that the network was never
    shown are scored by the classical part alone, with a warning.

    Parameters
    ----------
    network : False leaves the network out everywhere
    progress : called with the share done while thresholds of a new class of spectra are drawn (once; then kept)
    """

    def __init__(self, progress: Callable[[float], None] | None = None, network: bool = True):
        keep_freed_memory()
        self.progress, self.network = progress, network
        self.weights: dict[str, ndarray] | None = None  # the shipped ones
        self.own_thresholds: OwnThresholds | None = None  # of the user's set-up, instead of the packaged ones

    @classmethod
    def load(cls, path: str | Path, progress: Callable[[float], None] | None = None) -> "NoiseDetector":
        """A detector with another network's weights: a .safetensors file that evidence/benchmarks/train_wide.py wrote.

        Its thresholds are drawn for each kind of spectrum that it meets first (about a minute, then kept).

        Raises
        ------
        ValueError for a file that is not there or holds another network
        """
        detector = cls(progress)
        detector.weights = load_weights(path)
        return detector

    def detect(
        self,
        freqs: ArrayLike,
        psd: ArrayLike,
        n_segments: ArrayLike | None = None,
        false_alarm: float = 0.01,
        sampling_rate: float | None = None,
        known: Sequence[KnownLine] = (),
    ) -> Detection:
        """Score and flag one spectrum, and name the likely source of each flag.

        Parameters
        ----------
        freqs : (bin,) Hz, increasing; a bin at 0 Hz is left out
        psd : (bin,) unit^2/Hz, any scale; NaN, 0, infinite or masked where a bin is missing
        n_segments : averaged segments K, one number or one per bin; None: measured on the spectrum
        false_alarm : expected false alarms per line-free spectrum, in (0, 0.5]
        sampling_rate : Hz, of the time series behind the spectrum; aliases are named only where it is given
        known : lines that the user knows, which are named first

        Raises
        ------
        ValueError that names the value, the rule and the fix
        """
        _check_false_alarm(false_alarm)
        return with_causes(self.score(freqs, psd, n_segments).at(false_alarm), sampling_rate, known)

    def detect_many(
        self,
        freqs: ArrayLike,
        psd_table: ArrayLike,
        n_segments: ArrayLike | None = None,
        false_alarm: float = 0.01,
        sampling_rate: float | None = None,
    ) -> list[Detection]:
        """`detect` for a table of spectra on one grid: a Detection each, in order.

        Parameters
        ----------
        freqs, false_alarm, sampling_rate : as in `detect`
        psd_table : (n, bin)
        n_segments : K: one number, one per spectrum (n,) or bin (bin,), or (n, bin); None: measured on each spectrum

        Raises
        ------
        ValueError that names the value, the rule and the fix
        """
        _check_false_alarm(false_alarm)
        axis, table = checked_spectrum(freqs, psd_table)
        if table.ndim != 2:
            raise ValueError(f"psd_table has shape {table.shape}; give (n, bin), or one spectrum to detect")
        plan: Plan | None = None
        found: list[Detection] = []
        for row, segments in zip(table, _segments_of_rows(n_segments, table.shape), strict=True):
            valid = measured_bins(row, f"psd_table[{len(found)}]")
            if plan is None or (valid != plan.grid.valid).any():  # a table often has one pattern
                plan = Plan.of(axis, valid)
            scored = self._scored(axis, np.where(valid, row, np.nan), plan, segments)
            found.append(with_causes(scored.at(false_alarm), sampling_rate))
        return found

    def score(self, freqs: ArrayLike, psd: ArrayLike, n_segments: ArrayLike | None = None) -> ScoredSpectrum:
        """One spectrum without its flags, to be flagged at several `false_alarm`; parameters as in `detect`."""
        axis, row = checked_spectrum(freqs, psd)
        if row.ndim != 1:
            raise ValueError(f"psd has shape {row.shape}; give one spectrum (bin,), or the table to detect_many")
        segments, valid = _checked_segments(n_segments, axis.shape), measured_bins(row, "psd")
        return self._scored(axis, np.where(valid, row, np.nan), Plan.of(axis, valid), segments)

    def from_timeseries(self, samples: ArrayLike, rate: float, false_alarm: float = 0.01, **welch: Any) -> Detection:
        """Score and flag Welch's spectrum of one time series; aliases of mains are named from its rate.

        Parameters
        ----------
        samples : evenly sampled values; NaN where one is missing
        rate : samples a second, Hz
        false_alarm : expected false alarms per line-free spectrum, in (0, 0.5]
        welch : segment_length or n_segments, window, overlap, detrend of timeseries.welch_spectrum

        Returns
        -------
        a Detection; K is counted for the overlap, freqs end below half the rate

        Raises
        ------
        ValueError that names the value, the rule and the fix
        """
        found = welch_spectrum(samples, rate, **welch)
        return self.detect(found.freqs, found.psd, found.n_segments, false_alarm, rate)

    def _scored(self, freqs, psd, plan, n_segments):
        scored = score_spectrum(psd, plan, n_segments, self.network, self.weights)
        white, messages = scored.white, []
        judged = scored.judged
        limits = thresholds_for(
            scored.n_judged,
            float(np.nanmedian(judged.n_segments)),
            judged.correlation[0] > 0,
            not judged.estimated,
            "combined" if scored.combined else "classical",
            self.progress,
            weights=self.weights,
        )
        if self.own_thresholds is not None:
            self.own_thresholds.check(freqs, n_segments, scored)
            limits = self.own_thresholds.limits(scored, limits)
            messages += self.own_thresholds.notes(scored)
        messages += on_segments(n_segments, white) + on_values(scored)
        if self.network and not scored.combined:
            messages.append(
                f"scored without the network: it was trained and tested on {FEWEST_BINS} to {MOST_BINS} bins and on "
                f"K from {FEWEST_SEGMENTS:g} on"
            )
        return ScoredSpectrum(freqs, psd, plan, scored, limits, tuple(messages), stated=n_segments)


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


def _check_false_alarm(false_alarm):
    if not 0 < false_alarm <= 0.5:
        raise ValueError(f"false_alarm={false_alarm} must lie in (0, 0.5]: false alarms per line-free spectrum")


def checked_spectrum(freqs: ArrayLike, psd: ArrayLike) -> tuple[ndarray, ndarray]:
    """Frequencies and values as float64, NaN where masked; raises ValueError for what is not a spectrum or table."""
    freqs, values = mask_as_missing(freqs), mask_as_missing(psd)
    if np.iscomplexobj(values) or np.iscomplexobj(freqs):
        raise ValueError("psd is complex; give the power spectral density (a cross spectrum has no noise level)")
    freqs, values = freqs.astype(np.float64), values.astype(np.float64)
    if freqs.ndim != 1 or values.ndim not in (1, 2) or values.shape[-1] != len(freqs):
        raise ValueError(f"freqs has shape {freqs.shape} and psd {values.shape}; give as many frequencies as bins")
    if not np.isfinite(freqs).all() or (np.diff(freqs) <= 0).any() or (freqs < 0).any():
        raise ValueError("freqs must be finite, not negative and increasing; sort the bins and drop repeated ones")
    if (values < 0).any():
        raise ValueError(
            f"{int((values < 0).sum())} values of psd are negative; give a power spectral density, not decibels"
        )
    return freqs, values


def measured_bins(psd: Float[ndarray, " bin"], name: str) -> Bool[ndarray, " bin"]:
    """True where a bin holds a measurement; raises ValueError, with the name, where none does."""
    valid = np.isfinite(psd) & (psd > 0)
    if not valid.any():
        raise ValueError(f"{name} has no measured bin: all {len(psd)} values are NaN, infinite or 0; leave it out")
    return valid


def _checked_segments(n_segments, *shapes):
    """K as float64, None where it is not given; shapes : those that it may have beside one number."""
    if n_segments is None:
        return None
    values = np.asarray(n_segments, dtype=np.float64)
    if values.shape not in ((), *shapes) or not np.isfinite(values).all() or (values < 1).any():
        raise ValueError(
            f"n_segments={n_segments} must be at least 1: one number of averages, or numbers of shape "
            f"{' or '.join(map(str, shapes))}"
        )
    return values


def _segments_of_rows(n_segments, shape):
    """K of each spectrum of a table, one per bin; None where it is not given."""
    rows, bins = shape
    values = _checked_segments(n_segments, (rows,), (bins,), (rows, 1), shape)
    if values is None:
        return [None] * rows
    if values.shape == (rows,) == (bins,):
        raise ValueError(
            f"n_segments of shape {values.shape} is one per spectrum or one per bin, as psd_table has {rows} of both; "
            f"give shape {(rows, 1)} or {shape}"
        )
    return list(np.broadcast_to(values[:, None] if values.shape == (rows,) else values, shape))
