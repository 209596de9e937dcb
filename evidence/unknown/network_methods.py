"""The network for unknown backgrounds as methods of the benchmarks: alone, and combined with a classical score.

A method is a callable (freqs, psd (n, bin), valid (n, bin), n_segments) -> score (n, bin), NaN where a bin is missing.
"""

from collections.abc import Callable

import numpy as np
import torch

from evidence.unknown.network import SCORES, WideNetwork, cell_score
from nblib.cells import WIDE_CELL, cell_scores
from nblib.measured.statistic.network_inputs import network_inputs
from nblib.measured.statistic.score import combine


@torch.no_grad()
def network_cells(model: WideNetwork, freqs, psd, valid, n_segments=None) -> dict[str, np.ndarray]:
    """Scores per 10-bin cell of one spectrum, by kind; NaN where no bin is measured.

    The kinds are detection.network.SCORES, without "attention" where the network has none.
    """
    output = model(torch.from_numpy(network_inputs(freqs, psd, valid, n_segments))[None])
    present = torch.from_numpy(np.logical_or.reduceat(valid, np.arange(0, len(valid), WIDE_CELL)))[None]
    kinds = SCORES if model.attends else SCORES[1:]
    return {kind: cell_score(output, kind, present)[0].numpy().astype(np.float64) for kind in kinds}


def _per_bin(cells, valid):
    bins = np.repeat(cells, WIDE_CELL, axis=-1)[..., : valid.shape[-1]]
    return np.where(valid, bins, np.nan)


def network_method(model: WideNetwork, kind: str) -> Callable:
    """The network alone; kind : see detection.network.cell_score."""

    def method(freqs, psd, valid, n_segments):
        pairs = zip(psd, valid, strict=True)
        rows = [network_cells(model, freqs, x, here, n_segments)[kind] for x, here in pairs]
        return _per_bin(np.stack(rows), valid)

    return method


def with_network(classical: Callable, model: WideNetwork, kind: str, how: str = "max") -> Callable:
    """A classical method and the network, each turned into -ln p by its own tail; how : "max" or "sum"."""

    def method(freqs, psd, valid, n_segments):
        first = cell_scores(classical(freqs, psd, valid, n_segments), WIDE_CELL)
        second = cell_scores(network_method(model, kind)(freqs, psd, valid, n_segments), WIDE_CELL)
        return _per_bin(np.stack([combine(pair, how) for pair in zip(first, second, strict=True)]), valid)

    return method


def one_spectrum(method: Callable) -> Callable:
    """A method of the injections as a score of one spectrum: see evaluation.unknown_backgrounds."""

    def score(freqs, psd, valid, n_segments=None):
        return method(freqs, psd[None], valid[None], n_segments)[0]

    return score
