"""Networks that never met the instruments of one fold, and what the detector says of these instruments with them.

The network that ships was trained with copies of all measured spectra, so nothing that it says of them is evidence.
"""

from functools import cache
from pathlib import Path

from numpy import ndarray

from evidence.unknown.measured_spectra import MeasuredSpectrum, plan_of
from nblib.measured.result import Detection
from nblib.measured.scored import ScoredSpectrum
from nblib.measured.statistic.network import load_weights
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.thresholds import limits_of
from nblib.project.paths import measured_data_dir


def weights_without(fold: int) -> Path:
    """Where the weights of the network lie that never met the instruments of a fold."""
    return measured_data_dir() / "networks" / f"without_fold_{fold}.safetensors"


@cache
def network_without(fold: int) -> dict[str, ndarray]:
    """Weights of the network that never met the instruments of a fold.

    Raises
    ------
    ValueError where their file is missing or holds another network
    """
    return load_weights(weights_without(fold))


def detect_unmet(spectrum: MeasuredSpectrum, false_alarm: float) -> Detection:
    """What is flagged on a measured spectrum with the network that never met its instrument.

    The thresholds are those that ship, of the network that met all: five networks trained alike share them.
    """
    plan = plan_of(spectrum)
    scored = score_spectrum(spectrum.psd, plan, spectrum.n_segments, weights=network_without(spectrum.fold))
    return ScoredSpectrum(spectrum.freqs, spectrum.psd, plan, scored, limits_of(scored), ()).at(false_alarm)
