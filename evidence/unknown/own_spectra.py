"""Flags scored where the truth is known: simulated ranges, and the identified lines of measured spectra."""

import csv
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import gamma

from evidence.unknown.injections import Stretch
from nblib.measured.detector import NoiseDetector
from nblib.measured.result import Detection
from nblib.scoring.filters import running_median

MEDIAN_BINS = 101  # of the classical detector
STRONG = 3.0  # times the running median; a known range is strong where one of its bins exceeds it


def score_flags(detection: Detection, truth: Path) -> dict[str, float]:
    """True ranges that a flag overlaps, and flags that overlap none; truth : CSV with fmin and fmax, Hz."""
    with truth.open(encoding="utf-8") as file:
        ranges = [(float(row["fmin"]), float(row["fmax"])) for row in csv.DictReader(file)]
    spans = [(flag.fmin, flag.fmax) for flag in detection.flags]
    return {
        "true ranges": len(ranges),
        "found": sum(any(_overlap(span, other) for span in spans) for other in ranges),
        "flags": len(spans),
        "false flags": sum(not any(_overlap(span, other) for other in ranges) for span in spans),
    }


def _overlap(one, other):
    return one[0] <= other[1] and other[0] <= one[1]


def classical_flags(
    psd: Float[ndarray, " bin"], n_segments: float, false_alarm: float
) -> tuple[Bool[ndarray, " bin"], Float[ndarray, " bin"]]:
    """Bins over a running median by more than Gamma's quantile at 1 - false_alarm / bins; and the ratio itself."""
    here = np.isfinite(psd)
    ratio, flagged = np.full(len(psd), np.nan), np.zeros(len(psd), dtype=bool)
    logs = np.log(psd[here])
    ratio[here] = np.exp(logs - running_median(logs[None], MEDIAN_BINS, n_segments)[0])
    flagged[here] = ratio[here] > gamma.isf(false_alarm / here.sum(), n_segments, scale=1 / n_segments)
    return flagged, ratio


def score_real(stretch: Stretch, false_alarm: float = 0.01) -> tuple[dict[str, int], Detection]:
    """Strong known ranges of a measured spectrum that the detector and the classical one flag, and the bins each flags
    elsewhere; ignored bins are neither right nor wrong."""
    psd = np.where(stretch.valid, stretch.psd, np.nan)
    detection = NoiseDetector().detect(stretch.freqs, psd, stretch.n_segments, false_alarm)
    classical, ratio = classical_flags(psd, stretch.n_segments, false_alarm)
    edges = np.flatnonzero(np.diff(stretch.listed.astype(np.int8), prepend=0, append=0))
    ranges = [slice(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True)]
    strong = [part for part in ranges if np.nanmax(np.nan_to_num(ratio[part])) > STRONG]
    row = {"strong known lines": len(strong)}
    for name, flagged in (("detector", detection.flagged), ("classical", classical)):
        row[f"{name} finds"] = sum(bool(flagged[part].any()) for part in strong)
        row[f"{name}, other bins"] = int((flagged & ~stretch.listed & stretch.counted).sum())
    return row, detection
