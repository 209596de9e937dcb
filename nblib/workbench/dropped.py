"""Which bins of a detection are kept for a fit: those not flagged or beside a flag, and not at a harmonic of a comb.

A line leaks into the bins beside it, below any threshold. A comb has harmonics that are too weak to be flagged one by
one. In a fit they add up: on a logarithmic axis they fill half of the bins above 1 kHz.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import binary_dilation

from nblib.measured.flags import Flag
from nblib.measured.result import Detection
from nblib.measured.sources.names import likely_sources

COMBS = ("mains", "clock")
LEAST = 3  # flagged harmonics of a comb
BEYOND = 1.5  # times the highest flagged harmonic: how far a comb is followed
REACH = 2.0  # bins on either side of a harmonic, whose place between two bins is not known
BESIDE = 1  # bins on either side of a flagged one


def kept_bins(detection: Detection) -> Bool[ndarray, " bin"]:
    """True for the bins that a fit may use."""
    freqs, kept = detection.freqs, ~binary_dilation(detection.flagged, iterations=BESIDE)
    width = REACH * np.gradient(freqs)
    for spacing, highest in combs_of(detection.flags, freqs):
        number = np.clip(np.round(freqs / spacing), 1, np.floor(BEYOND * highest))
        kept &= np.abs(freqs - number * spacing) > width
    return kept


def combs_of(flags: Sequence[Flag], freqs: Float[ndarray, " bin"]) -> list[tuple[float, int]]:
    """Spacing, Hz, and highest flagged harmonic of each comb of mains or a clock."""
    if len(flags) < LEAST:
        return []
    resolution = float(np.median(np.diff(freqs)))
    harmonics: dict[float, list[int]] = {}
    for cause in likely_sources(flags, resolution, (float(freqs[0]), float(freqs[-1]))):
        if cause.source in COMBS and cause.spacing is not None and cause.harmonic is not None:
            harmonics.setdefault(cause.spacing, []).append(cause.harmonic)
    return [(spacing, max(numbers)) for spacing, numbers in harmonics.items() if len(numbers) >= LEAST]
