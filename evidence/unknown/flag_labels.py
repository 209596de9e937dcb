"""What the flags on the measured spectra stand on: labels given by eye, blind to which detector raised a flag.

data/measured/flag_labels.csv has a range and its label in each row, and the commits whose detector raised it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from evidence.unknown.measured_spectra import measured_spectra
from nblib.measured.detector import NoiseDetector
from nblib.project.paths import measured_data_dir

LABELS = {
    "mains": "mains or a harmonic of it",
    "line": "another narrow line",
    "broad": "a broad feature that stands out alone",
    "object": "what was measured: a rhythm, a rotor, a star, a bird",
    "structure": "the background's own: a knee, a wall, a shoulder, a skirt, raggedness",
}
UNLABELLED = "no label"
BEFORE = ("f332cc1", "ea629e6", "8e95ade")  # commits whose flags had labels when networks were trained with these
LABEL_FILE = "flag_labels.csv"
ROUNDING = 1e-8  # of a frequency that is read from a table
SAME = 0.5  # of the wider of two ranges that both must share to be one


@dataclass(frozen=True)
class Range:
    """A flagged range of a measured spectrum; fmin, fmax : Hz."""

    spectrum: str
    fmin: float
    fmax: float

    def bins(self, freqs: Float[ndarray, " bin"]) -> tuple[int, int]:
        """First and last bin, those nearest to its ends."""
        return int(np.abs(freqs - self.fmin).argmin()), int(np.abs(freqs - self.fmax).argmin())

    def shared(self, other: "Range") -> float:
        """What two ranges have in common over the wider one; 0 to 1, of two single bins 0 or 1."""
        if self.spectrum != other.spectrum:
            return 0.0
        rounding = ROUNDING * self.fmax
        both = min(self.fmax, other.fmax) - max(self.fmin, other.fmin) + rounding
        widest = max(self.fmax - self.fmin, other.fmax - other.fmin) + rounding
        return max(both, 0.0) / widest


def raised(false_alarm: float = 0.01) -> list[Range]:
    """Ranges that the detector of this commit flags on the measured spectra."""
    detector = NoiseDetector()
    return [
        Range(one.name, flag.fmin, flag.fmax)
        for one in measured_spectra()
        for flag in detector.detect(one.freqs, one.psd, one.n_segments, false_alarm).flags
    ]


def labelled(raised_by: Collection[str] = ()) -> list[tuple[Range, str, str]]:
    """Range, label and commits of every row of the table.

    Parameters
    ----------
    raised_by : commits, of which one must have raised the range; none names all rows

    Raises
    ------
    ValueError that names a label that is not in LABELS
    """
    table = pd.read_csv(measured_data_dir() / LABEL_FILE, comment="#", keep_default_na=False)
    unknown = sorted(set(table["label"]) - set(LABELS))
    if unknown:
        raise ValueError(f"{LABEL_FILE} has the label {unknown[0]!r}; known: {', '.join(LABELS)}")
    named = table.itertuples(index=False)
    rows = [(Range(row.spectrum, row.fmin, row.fmax), row.label, row.raised_by) for row in named]
    return [row for row in rows if not raised_by or set(raised_by) & set(row[2].split())]


def best_of(one: Range, known: list[tuple[Range, str, str]]) -> int | None:
    """Number of the row whose range shares most with a range; None where that is less than SAME."""
    shares = [row[0].shared(one) for row in known]
    at = max(range(len(shares)), key=shares.__getitem__, default=None)
    return at if at is not None and shares[at] >= SAME else None


def labels_of(ranges: Iterable[Range], known: list[tuple[Range, str, str]]) -> list[str]:
    """The label of each range in the table, UNLABELLED where the table does not hold it."""
    matched = [best_of(one, known) for one in ranges]
    return [UNLABELLED if at is None else known[at][1] for at in matched]


def distinct(ranges: Iterable[Range]) -> list[Range]:
    """Ranges, each once; of nearly equal ones the first."""
    kept: list[Range] = []
    for one in ranges:
        if all(other.shared(one) < SAME for other in kept):
            kept.append(one)
    return kept
