"""Networks that were not trained on the instruments of one fold, and what the detector says of these with them.

The network that ships was trained with copies of all measured spectra, so nothing that it says of them is evidence.
"""

from functools import cache
from pathlib import Path

from numpy import ndarray

from evidence.unknown.measured_spectra import MeasuredSpectrum, plan_of
from nblib.measured.causes import with_causes
from nblib.measured.result import Detection
from nblib.measured.scored import ScoredSpectrum
from nblib.measured.statistic.network import load_weights
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import limits_of
from nblib.project.paths import measured_data_dir


def weights_without(fold: int) -> Path:
    """Where the weights of the network lie that was not trained on the instruments of a fold."""
    return measured_data_dir() / "networks" / f"without_fold_{fold}.safetensors"


@cache
def network_without(fold: int) -> dict[str, ndarray]:
    """Weights of the network that was not trained on the instruments of a fold.

    Raises
    ------
    ValueError where their file is missing or holds another network
    """
    return load_weights(weights_without(fold))


def detect_unmet(spectrum: MeasuredSpectrum, false_alarm: float) -> Detection:
    """What NoiseDetector.detect flags on a measured spectrum, by the network that was not trained on its instrument.

    The thresholds are those that ship, of the network that was trained on all: five networks trained alike share them.
    """
    plan = plan_of(spectrum)
    scored = score_spectrum(spectrum.psd, plan, spectrum.n_segments, weights=network_without(spectrum.fold))
    parts = spectrum.freqs, spectrum.psd, plan, scored, limits_of(scored), ()
    return with_causes(ScoredSpectrum(*parts).at(false_alarm))
