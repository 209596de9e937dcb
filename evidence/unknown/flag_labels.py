"""What the flags on the measured spectra stand on: labels given by eye, blind to which detector raised a flag.

data/measured/flag_labels.csv has a range and its label in each row, and the commits whose detector raised it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

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
LABEL_FILE = "flag_labels.csv"
SAME = 0.5  # of the wider of two ranges that both must share to be one


@dataclass(frozen=True)
class Range:
    """A flagged range of a measured spectrum; fmin, fmax : Hz."""

    spectrum: str
    fmin: float
    fmax: float

    def shared(self, other: "Range") -> float:
        """Bins in common over those of the wider one, a bin counted as the spectrum's resolution; 0 to 1."""
        if self.spectrum != other.spectrum:
            return 0.0
        both = min(self.fmax, other.fmax) - max(self.fmin, other.fmin)
        widest = max(self.fmax - self.fmin, other.fmax - other.fmin)
        return 0.0 if both < 0 else both / widest if widest else 1.0


def raised(false_alarm: float = 0.01) -> list[Range]:
    """Ranges that the detector of this commit flags on the measured spectra."""
    detector = NoiseDetector()
    return [
        Range(one.name, flag.fmin, flag.fmax)
        for one in measured_spectra()
        for flag in detector.detect(one.freqs, one.psd, one.n_segments, false_alarm).flags
    ]


def labelled() -> list[tuple[Range, str, str]]:
    """Range, label and commits of every row of the table.

    Raises
    ------
    ValueError that names a label which is none of LABELS
    """
    table = pd.read_csv(measured_data_dir() / LABEL_FILE, comment="#", keep_default_na=False)
    unknown = sorted(set(table["label"]) - set(LABELS))
    if unknown:
        raise ValueError(f"{LABEL_FILE} has the label {unknown[0]!r}; known: {', '.join(LABELS)}")
    rows = table.itertuples(index=False)
    return [(Range(row.spectrum, row.fmin, row.fmax), row.label, row.raised_by) for row in rows]


def labels_of(ranges: Iterable[Range], known: list[tuple[Range, str, str]]) -> list[str]:
    """The label of the range in the table that each shares most with, UNLABELLED where that is less than SAME."""
    found = []
    for one in ranges:
        best = max(known, key=lambda row: row[0].shared(one), default=None)
        found.append(best[1] if best is not None and best[0].shared(one) >= SAME else UNLABELLED)
    return found


def distinct(groups: dict[str, list[Range]]) -> list[tuple[Range, str]]:
    """Ranges of several detectors, each once, with the names of all that raised it; of nearly equal ones the first."""
    found: list[tuple[Range, list[str]]] = []
    for name, ranges in groups.items():
        for one in ranges:
            same = next((row for row in found if row[0].shared(one) >= SAME), None)
            if same is None:
                found.append((one, [name]))
            elif name not in same[1]:
                same[1].append(name)
    return [(one, " ".join(names)) for one, names in found]
