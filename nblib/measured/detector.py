"""Which parts of a measured spectrum are contaminated: scores, flagged ranges and the background without them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike

from nblib.measured.arrays import (
    check_false_alarm,
    checked_segments,
    checked_spectrum,
    measured_bins,
    segments_of_rows,
)
from nblib.measured.causes import with_causes
from nblib.measured.notes import on_segments, on_values
from nblib.measured.result import Detection
from nblib.measured.scored import ScoredSpectrum
from nblib.measured.sources.known import KnownLine
from nblib.measured.statistic.network import FEWEST_BINS, FEWEST_SEGMENTS, MOST_BINS, load_weights
from nblib.measured.statistic.own_thresholds import OwnThresholds
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import limits_of
from nblib.measured.statistic.whitening import Plan
from nblib.measured.welch import welch_spectrum
from nblib.project.memory import keep_freed_memory


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
        check_false_alarm(false_alarm)
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
        check_false_alarm(false_alarm)
        axis, table = checked_spectrum(freqs, psd_table)
        if table.ndim != 2:
            raise ValueError(f"psd_table has shape {table.shape}; give (n, bin), or one spectrum to detect")
        plan: Plan | None = None
        detections: list[Detection] = []
        for row, segments in zip(table, segments_of_rows(n_segments, table.shape), strict=True):
            valid = measured_bins(row, f"psd_table[{len(detections)}]")
            if plan is None or (valid != plan.grid.valid).any():  # a table often has one pattern
                plan = Plan.of(axis, valid)
            scored = self._scored(axis, np.where(valid, row, np.nan), plan, segments)
            detections.append(with_causes(scored.at(false_alarm), sampling_rate))
        return detections

    def score(self, freqs: ArrayLike, psd: ArrayLike, n_segments: ArrayLike | None = None) -> ScoredSpectrum:
        """One spectrum without its flags, to be flagged at several `false_alarm`; parameters as in `detect`."""
        axis, row = checked_spectrum(freqs, psd)
        if row.ndim != 1:
            raise ValueError(f"psd has shape {row.shape}; give one spectrum (bin,), or the table to detect_many")
        segments, valid = checked_segments(n_segments, axis.shape), measured_bins(row, "psd")
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
        spectrum = welch_spectrum(samples, rate, **welch)
        return self.detect(spectrum.freqs, spectrum.psd, spectrum.n_segments, false_alarm, rate)

    def _scored(self, freqs, psd, plan, n_segments):
        scored = score_spectrum(psd, plan, n_segments, self.network, self.weights)
        messages = []
        limits = limits_of(scored, progress=self.progress, weights=self.weights)
        if self.own_thresholds is not None:
            self.own_thresholds.check(freqs, n_segments, scored)
            limits = self.own_thresholds.limits(scored, limits)
            messages += self.own_thresholds.notes(scored)
        messages += on_values(scored) + on_segments(n_segments, scored)
        if self.network and not scored.combined:
            messages.append(
                f"scored without the network: it was trained and tested on {FEWEST_BINS} to {MOST_BINS} bins and on "
                f"K from {FEWEST_SEGMENTS:g} on"
            )
        return ScoredSpectrum(freqs, psd, plan, scored, limits, tuple(messages), stated=n_segments)
