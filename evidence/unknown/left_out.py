"""Networks trained with some instruments and judged on the others: what they add, and what bounds that.

The limit of every method is set by a hundredth or a twentieth of the quiet cells. Where these hold real excess, which
the network takes for noise as well, no network can add much; how much texture there is to be gained from, a spectrum
without any shows.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evidence.unknown.flag_labels import Range, labelled
from evidence.unknown.measured_spectra import MeasuredSpectrum
from evidence.unknown.measured_trials import CLASSICAL, FEWEST_QUIET, Methods, own_segments
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.result import Detection
from nblib.measured.scored import ScoredSpectrum
from nblib.measured.statistic.network import load_weights
from nblib.measured.statistic.score import Scored, score_spectrum
from nblib.measured.statistic.thresholds import limits_of
from nblib.measured.statistic.whitening import Plan
from nblib.project.paths import measured_data_dir

Weights = dict[str, ndarray] | None  # None: the shipped ones
NETWORKS = "networks"  # folder of data/measured


def weights_without(fold: int) -> Path:
    """Where the weights lie that never met the instruments of a fold."""
    return measured_data_dir() / NETWORKS / f"without_fold_{fold}.safetensors"


@cache
def network_without(fold: int) -> dict[str, ndarray]:
    """Weights that never met the instruments of a fold."""
    return load_weights(weights_without(fold))


def detect_left_out(spectrum: MeasuredSpectrum, false_alarm: float) -> Detection:
    """What is flagged on a measured spectrum by the network that never met its instrument; the thresholds that ship."""
    plan = _plan(spectrum)
    scored = score_spectrum(spectrum.psd, plan, spectrum.n_segments, weights=network_without(spectrum.fold))
    return ScoredSpectrum(spectrum.freqs, spectrum.psd, plan, scored, limits_of(scored), ()).at(false_alarm)


def with_networks(networks: Mapping[str, Weights]) -> Methods:
    """Methods of measured_trials.recalls: the classical part, and with it each network by its name."""

    def cells(freqs, psd, n_segments, plan):
        scored = {name: score_spectrum(psd, plan, n_segments, weights=weights) for name, weights in networks.items()}
        alone = next(iter(scored.values())).white.scores
        scores = {CLASSICAL: alone} | {name: one.scores for name, one in scored.items()}
        return {name: cell_scores(row, WIDE_CELL) for name, row in scores.items()}

    return cells


def without_texture(spectrum: MeasuredSpectrum, seed: int) -> MeasuredSpectrum:
    """Scatter alone, flat, with the K that the detector measures on the spectrum."""
    segments = own_segments(spectrum, _plan(spectrum))
    psd = np.random.default_rng(seed).gamma(segments, 1 / segments)
    return MeasuredSpectrum(
        spectrum.name, spectrum.instrument, spectrum.fold, spectrum.freqs, psd, segments, spectrum.unit
    )


def limiting_odds(
    spectrum: MeasuredSpectrum, quiet: ndarray, networks: Mapping[str, Weights], area: float
) -> dict[str, list[float]]:
    """Log-odds of the quiet cells that set the classical part's limit at an area, by network; none where they are too
    few for a single one."""
    if area * FEWEST_QUIET <= 1 and len(quiet) < FEWEST_QUIET:
        return {name: [] for name in networks}
    odds: dict[str, list[float]] = {}
    for name, scored in _scored(spectrum, networks).items():
        cells = cell_scores(scored.white.scores, WIDE_CELL)[quiet]
        above = quiet[cells >= np.nanquantile(cells, 1 - area)]
        odds[name] = scored.log_odds[above].tolist()
    return odds


def odds_by_label(spectrum: MeasuredSpectrum, networks: Mapping[str, Weights]) -> dict[str, dict[str, list[float]]]:
    """Largest log-odds in each range of the spectrum that was labelled by eye, by label and network."""
    scored = _scored(spectrum, networks)
    rows: dict[str, dict[str, list[float]]] = {}
    for one, label, _ in labelled():
        if one.spectrum == spectrum.name:
            cells = _cells(one, spectrum.freqs)
            for name, part in scored.items():
                rows.setdefault(label, {}).setdefault(name, []).append(float(np.nanmax(part.log_odds[cells])))
    return rows


def _cells(one: Range, freqs: Float[ndarray, " bin"]) -> slice:
    first, last = (int(np.abs(freqs - edge).argmin()) for edge in (one.fmin, one.fmax))
    return slice(first // WIDE_CELL, last // WIDE_CELL + 1)


def _plan(spectrum):
    return Plan.of(spectrum.freqs, np.ones(len(spectrum.psd), dtype=bool))


def _scored(spectrum, networks) -> dict[str, Scored]:
    plan = _plan(spectrum)
    return {
        name: score_spectrum(spectrum.psd, plan, spectrum.n_segments, weights=weights)
        for name, weights in networks.items()
    }
