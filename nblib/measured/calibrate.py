"""`--calibrate FOLDER`: thresholds from a user's own line-free spectra, drawn once and kept in their folder.

How many: five spectra are the fewest that are taken, ten or more are recommended. They come from the set-up that is
judged later: same frequencies, averages and window, nothing connected that may disturb. Each is looked at first: one
that holds a strong line is refused by name. What is kept is renewed when a spectrum, a setting or the statistic
changes.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

import nblib
from nblib.measured.detector import NoiseDetector
from nblib.measured.flags import LINE_BINS, Flag
from nblib.measured.inputs import files_of
from nblib.measured.measurement import Measurement
from nblib.measured.outputs import check_targets
from nblib.measured.products import CALIBRATION, writing
from nblib.measured.settings import Settings
from nblib.measured.statistic.network import weights_key
from nblib.measured.statistic.own_thresholds import (
    SAME_SEGMENTS,
    OwnThresholds,
    axis_words,
    draw_own,
    same_axis,
)
from nblib.measured.statistic.thresholds import N_DRAWS, RATES, VERSION
from nblib.measured.switched import SwitchedDetector
from nblib.project.paths import replace_whole
from nblib.project.registry import refuse_if

KEPT = f"nblib.{CALIBRATION}"
LOOKED_AT = 0.01  # false alarms per spectrum, by the packaged thresholds, at which lines are looked for
STRONG, SURE = 1.0, 1e-4  # excess over the background, and chance, of a line that no line-free spectrum has
READING = ("n_segments", "column", "asd", "db", "unit", "span", "series", "rate", "resolution", "floor")


def detector_of(settings: Settings, given: NoiseDetector | None = None) -> NoiseDetector:
    """What flags the spectra that are read by these settings: by packaged or own thresholds, or beside a reference.

    Parameters
    ----------
    given : whose network, weights and progress are used; NoiseDetector(network=settings.network) if None

    Raises
    ------
    ValueError where no thresholds can be drawn from the folder, or the reference cannot be read, with the reason
    """
    detector = given or NoiseDetector(network=settings.network)
    if settings.reference is not None:
        return _beside(Path(settings.reference).expanduser(), settings, detector)
    if settings.calibrate is None:
        return detector
    calibrated = NoiseDetector(detector.progress, detector.network)
    calibrated.weights = detector.weights
    calibrated.own_thresholds = own_thresholds(Path(settings.calibrate).expanduser(), settings, detector)
    return calibrated


def _beside(path: Path, settings: Settings, detector: NoiseDetector) -> SwitchedDetector:
    """The detector of what is added to the spectrum of one file."""
    spectra = settings.spectra_of_file(path)
    refuse_if(
        len(spectra) != 1,
        f"the reference {path.name} holds {len(spectra)} spectra; give a file with one, or name it with column=NAME",
    )
    return SwitchedDetector(spectra[0], detector.progress)


def own_thresholds(folder: Path, settings: Settings, detector: NoiseDetector, n_draws: int = N_DRAWS) -> OwnThresholds:
    """Thresholds from the line-free spectra of a folder, read as the settings say: kept there, or drawn and kept now.

    Parameters
    ----------
    detector : the one that will judge by them

    Raises
    ------
    ValueError : a file that cannot be read, too few spectra, several set-ups, a strong line; a file of the name that
        another program wrote
    """
    files, _ = files_of([folder])
    kept, identity = folder / KEPT, _identity(files, settings, detector, n_draws)
    check_targets([kept], [])
    if kept.exists():
        document = json.loads(kept.read_text(encoding="utf-8"))
        if document["line_free"] == identity:
            return _from_document(folder, document)
    spectra = [measured for path in files for measured in _read(path, settings)]
    _check_alike(spectra)
    _check_line_free(spectra, detector)
    first = spectra[0]
    drawn = draw_own(
        str(folder),
        first.freqs,
        np.stack([one.psd for one in spectra]),
        first.n_segments,
        detector.network,
        detector.weights,
        n_draws,
        detector.progress,
    )
    try:
        with writing(kept):
            replace_whole(kept, json.dumps(_as_document(drawn, identity), indent=1) + "\n")
    except ValueError as error:
        warnings.warn(f"{error}: the thresholds are used and not kept", stacklevel=2)
    return drawn


def _identity(files: Sequence[Path], settings: Settings, detector: NoiseDetector, n_draws: int) -> dict:
    """What the thresholds depend on; JSON."""
    network = "shipped" if detector.weights is None else weights_key(detector.weights)
    return {
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "reading": {name: None if (value := getattr(settings, name)) is None else str(value) for name in READING},
        "network": network if detector.network else "none",
        "draws": n_draws,
        "version": VERSION,
    }


def _read(path: Path, settings: Settings) -> list[Measurement]:
    try:
        return settings.spectra_of_file(path)
    except ValueError as error:
        why = str(error).removeprefix(f"{path.name}: ")
        raise ValueError(f"{path} cannot be read as a line-free spectrum ({why}); fix it, or take it out") from error


def _check_alike(spectra: Sequence[Measurement]) -> None:
    """One set-up: the same frequencies and as many averages."""
    first = spectra[0]
    for one in spectra[1:]:
        refuse_if(
            not same_axis(one.freqs, first.freqs),
            f"{one.label} has {axis_words(one.freqs)} and {first.label} {axis_words(first.freqs)}: line-free spectra "
            "are of one set-up; give each set-up a folder of its own",
        )
        ratio = (one.n_segments or 1.0) / (first.n_segments or 1.0)
        refuse_if(
            (one.n_segments is None) != (first.n_segments is None) or not 1 / SAME_SEGMENTS < ratio < SAME_SEGMENTS,
            f"{one.label} has K = {one.n_segments} and {first.label} K = {first.n_segments}: line-free spectra are of "
            "one set-up; give each set-up a folder of its own",
        )


def _check_line_free(spectra: Sequence[Measurement], detector: NoiseDetector) -> None:
    """No strong line in any of them."""
    for one in spectra:
        line = strong_line(one.freqs, one.psd, one.n_segments, detector)
        if line is not None:
            raise ValueError(
                f"{one.label} is not line-free: {line.centre:.6g} Hz stands {line.excess:.3g} x above the background "
                f"({line.cause}); measure it again without that source, or take the file out"
            )


def strong_line(
    freqs: Float[ndarray, " bin"], psd: Float[ndarray, " bin"], n_segments: float | None, detector: NoiseDetector
) -> Flag | None:
    """The first line of a spectrum that no line-free one has, by the packaged thresholds; None where there is none."""
    width = (LINE_BINS - 1) * np.gradient(freqs)
    for flag in detector.detect(freqs, psd, n_segments, LOOKED_AT).flags:
        is_narrow = flag.fmax - flag.fmin <= np.interp(flag.centre, freqs, width)
        if is_narrow and flag.excess > STRONG and flag.probability < SURE:
            return flag
    return None


def _as_document(drawn: OwnThresholds, identity: dict) -> dict:
    return {
        "made by": "nblib detect --calibrate",
        "nblib": nblib.__version__,
        "statistic": VERSION,
        "line_free": identity,
        "spectra": drawn.n_spectra,
        "bins": drawn.n_bins,
        "K stated": drawn.stated,
        "K measured": drawn.measured,
        "window": "as Hann's" if drawn.correlated else "none",
        "flagged when left out": drawn.flagged,
        "rates": list(RATES),
        "levels": drawn.levels,
        "freqs": [float(f"{freq:.10g}") for freq in drawn.freqs],
    }


def _from_document(folder: Path, document: dict) -> OwnThresholds:
    return OwnThresholds(
        str(folder),
        np.array(document["freqs"]),
        document["K stated"],
        document["K measured"],
        document["window"] != "none",
        document["spectra"],
        document["bins"],
        document["levels"],
        document["flagged when left out"],
    )
