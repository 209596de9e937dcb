"""A file of one's own analysed as `nblib detect` does, and its flags scored where the truth is known."""

import csv
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import gamma

from nblib.measured.detector import NoiseDetector
from nblib.measured.files.readers import load_spectra
from nblib.measured.measurement import Measurement, from_spectra
from nblib.measured.result import Detection
from nblib.project.paths import real_data_dir, resolve_data_path
from nblib.scoring.filters import running_median

LIGO_FILE, PATCH_FILE = "ligo_o1_h1_psd_1hz.npz", "patchclamp_60hz_psd_1hz.npz"
LIGO_SEGMENTS = 63
MEDIAN_BINS = 101  # of the classical detector
STRONG = 3.0  # times the running median; a known range is strong where one of its bins exceeds it


def analyse(
    source: str | Path, n_segments: float | None = None, false_alarm: float = 0.01
) -> list[tuple[Measurement, Detection]]:
    """Every spectrum of a file, or of the files of a folder, with its flags and their likely sources.

    Parameters
    ----------
    n_segments : K; None: as the file states, else measured on the spectrum

    Raises
    ------
    ValueError for a file that cannot be read, or a folder without one that can; a file of a folder that cannot be read
    is left out with a warning that says why
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return _analysed(resolve_data_path(source), n_segments, false_alarm)
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        try:
            found += _analysed(path, n_segments, false_alarm)
        except ValueError as error:
            warnings.warn(f"{path.name} is left out: {error}", stacklevel=2)  # a folder holds other files too
    if not found:
        raise ValueError(f"data_path={str(source)!r} holds no file that can be read; name a file to see why")
    return found


def _analysed(path, n_segments, false_alarm):
    detector = NoiseDetector()
    return [
        (measured, detected(measured, false_alarm, n_segments, detector))
        for measured in from_spectra(path, load_spectra(path))
    ]


def detected(
    measured: Measurement,
    false_alarm: float = 0.01,
    n_segments: float | None = None,
    detector: NoiseDetector | None = None,
) -> Detection:
    """Flags of one measurement, causes named."""
    return (detector or NoiseDetector()).detect(
        measured.freqs, measured.psd, n_segments or measured.n_segments, false_alarm, measured.sampling_rate
    )


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


def real_files() -> dict[str, tuple[Measurement, Bool[ndarray, " bin"], Bool[ndarray, " bin"]]]:
    """Measured spectra of the folder that $NBLIB_REAL_DATA names; {} without it.

    Returns
    -------
    by name: spectrum, bins of its known lines, bins that belong to no score (listed combs too weak to see)
    """
    try:
        folder = real_data_dir()
    except ValueError:
        return {}
    found = {}
    if (folder / PATCH_FILE).is_file():
        with np.load(folder / PATCH_FILE) as file:
            measured = Measurement(
                "patch clamp", "patch", file["freq"], file["psd_mean"], "pA^2/Hz", float(file["n_avg"])
            )
            found["patch clamp"] = (measured, file["mains_mask"], np.zeros(len(file["freq"]), dtype=bool))
    if (folder / LIGO_FILE).is_file():
        with np.load(folder / LIGO_FILE) as file:
            psd = np.where(file["valid"][0], file["psd"][0], np.nan)
            measured = Measurement("LIGO Hanford", "ligo", file["freq"], psd, "strain^2/Hz", LIGO_SEGMENTS)
            found["LIGO Hanford"] = (measured, file["known_line"], file["unknown_comb"] & ~file["known_line"])
    return found


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


def score_real(
    measured: Measurement,
    known: Bool[ndarray, " bin"],
    unscored: Bool[ndarray, " bin"] | None = None,
    false_alarm: float = 0.01,
) -> tuple[dict[str, int], Detection]:
    """Strong known ranges that the detector and the classical one flag, and the bins each flags elsewhere.

    Parameters
    ----------
    unscored : bins that are neither right nor wrong; None = there are none
    """
    detection = detected(measured, false_alarm)
    classical, ratio = classical_flags(measured.psd, measured.n_segments or detection.n_segments, false_alarm)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    ranges = [slice(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True)]
    strong = [part for part in ranges if np.nanmax(np.nan_to_num(ratio[part])) > STRONG]
    row = {"strong known lines": len(strong)}
    elsewhere = np.zeros(len(known), dtype=bool) if unscored is None else unscored
    for name, flagged in (("detector", detection.flagged), ("classical", classical)):
        row[f"{name} finds"] = sum(bool(flagged[part].any()) for part in strong)
        row[f"{name}, other bins"] = int((flagged & ~known & ~elsewhere).sum())
    return row, detection
