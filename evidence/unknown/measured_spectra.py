"""The 39 measured spectra of 27 instruments that come with the project, in five folds of whole instruments.

data/measured/README.md says where each comes from and under which licence.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.measured.statistic.whitening import Plan
from nblib.project.paths import measured_data_dir
from nblib.project.records import read_json
from nblib.project.registry import refuse_if

FOLDS = (1, 2, 3, 4, 5)
# of names, instruments, folds and files: a benchmark's numbers hold for these alone
DIGEST = "8f8d1b887c21f75d"


@dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """One measured spectrum.

    Attributes
    ----------
    instrument : several spectra of one instrument are never split between folds
    fold : one of FOLDS
    freqs : Hz, on a linear axis
    psd : unit^2/Hz, no bin missing
    n_segments : effective averages K, of all bins or of each; None where nobody states them
    """

    name: str
    instrument: str
    fold: int
    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    n_segments: float | Float[ndarray, " bin"] | None
    unit: str


def plan_of(spectrum: MeasuredSpectrum) -> Plan:
    """Of its axis; no bin is missing."""
    return Plan.of(spectrum.freqs, np.ones(len(spectrum.psd), dtype=bool))


def table_of_spectra(folder: Path | None = None) -> dict[str, dict]:
    """What is known of each spectrum, by name: measured.json of data/measured/."""
    return read_json((folder or measured_data_dir()) / "measured.json")


def digest_of(rows: dict[str, dict]) -> str:
    """Of a table's names, instruments, folds and file hashes."""
    parts = [f"{name} {row['group']} {row['fold']} {row['sha256']}" for name, row in sorted(rows.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def measured_spectra(folder: Path | None = None) -> list[MeasuredSpectrum]:
    """Every measured spectrum, in the order of the table.

    Raises
    ------
    ValueError where a file is missing or is another than the table says
    """
    folder, spectra = folder or measured_data_dir(), []
    for name, row in table_of_spectra(folder).items():
        path = folder / f"{name}.npz"
        refuse_if(not path.is_file(), f"{path} is missing; check data/measured out again")
        refuse_if(
            hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"],
            f"{path} is not the file that measured.json names; check data/measured out again",
        )
        with np.load(path) as file:
            freqs, psd, segments = (file[key].astype(np.float64) for key in ("freqs", "psd", "n_segments"))
        stated = float(segments) if np.isfinite(segments) else None
        spectra.append(MeasuredSpectrum(name, row["group"], row["fold"], freqs, psd, stated, row["unit"]))
    return spectra
