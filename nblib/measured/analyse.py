"""One front door: a file or a folder in, every spectrum of it and what was flagged there out."""

import warnings
from pathlib import Path
from typing import Any

from nblib.measured.detector import NoiseDetector
from nblib.measured.files.readers import load_spectra
from nblib.measured.measurement import Measurement, from_spectra
from nblib.measured.result import Detection
from nblib.project.paths import resolve_data_path


def analyse(
    source: str | Path,
    n_segments: float | None = None,
    false_alarm: float = 0.01,
    detector: NoiseDetector | None = None,
    **reading: Any,
) -> list[tuple[Measurement, Detection]]:
    """Every spectrum of a file, or of the files of a folder, with its flags and their likely sources.

    Parameters
    ----------
    n_segments : K; None: as the file states, else measured on the spectrum
    false_alarm : expected false alarms in a line-free spectrum, in (0, 0.5]
    detector : what flags; NoiseDetector() if None
    reading : column, asd, db, unit, span of readers.load_spectra

    Raises
    ------
    ValueError for a file that cannot be read, or a folder without one that can; a file of a folder that cannot be read
    is left out with a warning that says why
    """
    folder, detector = Path(source).expanduser(), detector or NoiseDetector()
    if not folder.is_dir():
        path = resolve_data_path(source)
        measurements = from_spectra(path, load_spectra(path, **reading))
        return [(one, detected(one, false_alarm, n_segments, detector)) for one in measurements]
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        try:
            found += analyse(path, n_segments, false_alarm, detector, **reading)
        except ValueError as error:
            warnings.warn(f"{path.name} is left out: {error}", stacklevel=2)  # a folder holds other files too
    if not found:
        raise ValueError(f"data_path={str(source)!r} holds no file that can be read; name a file to see why")
    return found


def detected(
    measured: Measurement,
    false_alarm: float = 0.01,
    n_segments: float | None = None,
    detector: NoiseDetector | None = None,
) -> Detection:
    """Flags of one measurement, their likely sources named; parameters as in `analyse`."""
    segments, detector = n_segments or measured.n_segments, detector or NoiseDetector()
    return detector.detect(measured.freqs, measured.psd, segments, false_alarm, measured.sampling_rate)
