"""Classical scores and the network's evidence as one: the detector's statistic."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.cells import WIDE_CELL
from nblib.measured.statistic.network import in_range, network_evidence
from nblib.measured.statistic.whitening import Plan, Whitened, whiten

EVIDENCE_LIMIT = 3.0  # of the network's log-odds, either way: how sure it may be on structure it has never seen


def add_evidence(
    log_p: Float[ndarray, "*n cell"], log_odds: Float[ndarray, "*n cell"], weight: float = 1.0
) -> Float[ndarray, "*n cell"]:
    """Classical -ln p plus the network's bounded log-odds: evidence of two kinds in one unit (nats).

    Parameters
    ----------
    weight : of the log-odds, >= 0; 1 adds both in nats, nothing is tuned. Others were tried
        (evidence/benchmarks/network_injections.py): chosen on the stretch that the network was trained on, the weight
        is 4 and narrow lines elsewhere suffer. 4 for broad filters alone gave more false alarms than asked on the
        second generator
    """
    return log_p + weight * np.clip(log_odds, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)


@dataclass(frozen=True, eq=False)
class Scored:
    """The detector's statistic on one spectrum; bins along the last axis, NaN where a bin is missing.

    Attributes
    ----------
    white : what the filter bank makes of it
    by_group : its -ln p by group of filters, with the evidence of the bin's cell added where the network knows such
        spectra
    attention : (cell,) CLS attention over that of clean cells; NaN everywhere where the network was not asked
    log_odds : (cell,) of holding a contaminated bin by the network, not bounded; NaN as attention
    combined : was it asked
    """

    white: Whitened
    by_group: Float[ndarray, "2 bin"]
    attention: Float[ndarray, " cell"]
    log_odds: Float[ndarray, " cell"]
    combined: bool

    @property
    def scores(self) -> Float[ndarray, " bin"]:
        """The larger of the groups' scores."""
        return self.by_group.max(axis=0)


def score_spectrum(
    psd: Float[ndarray, " bin"],
    plan: Plan,
    n_segments: float | ndarray | None = None,
    with_network: bool = True,
    weights: dict[str, ndarray] | None = None,
) -> Scored:
    """Scores of one spectrum; psd and n_segments as in whitening.whiten, weights as in network.network_evidence.

    The network is asked with the K that the filter bank used. It is not asked about spectra of fewer or more bins, or
    of fewer averages, than it was trained on or tested with (network.in_range).
    """
    white = whiten(psd, plan, n_segments)
    freqs, valid, index = plan.grid.freqs, plan.grid.valid, plan.grid.index
    if not with_network or not in_range(len(index), float(np.nanmedian(white.n_segments))):
        unknown = np.full(-(-len(freqs) // WIDE_CELL), np.nan)
        return Scored(white, white.by_group, unknown, unknown, False)
    segments = np.interp(np.arange(len(freqs)), index, white.n_segments[index])
    evidence = network_evidence(freqs, psd, valid, segments, weights)
    log_odds = np.repeat(evidence.log_odds, WIDE_CELL)[: len(freqs)]
    by_group = np.stack([add_evidence(part, log_odds) for part in white.by_group])
    return Scored(white, by_group, evidence.attention, evidence.log_odds, True)
