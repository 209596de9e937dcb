"""Classical scores and the network's evidence as one: the detector's statistic."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from nblib.cells import WIDE_CELL
from nblib.measured.statistic.dependence import blocks_of, dependence_lengths
from nblib.measured.statistic.network import Evidence, in_range, network_evidence
from nblib.measured.statistic.steps import Smeared, smeared
from nblib.measured.statistic.whitening import Plan, Whitened, whiten

EVIDENCE_LIMITS = (-3.0, 1.25)  # of the network's log-odds; it is as sure of structure it has never seen as of lines
EVIDENCE_WEIGHT = 2.0  # of the log-odds; both chosen on simulated spectra with the measured instruments in view


def add_evidence(
    log_p: Float[ndarray, "*n cell"], log_odds: Float[ndarray, "*n cell"], weight: float = EVIDENCE_WEIGHT
) -> Float[ndarray, "*n cell"]:
    """Classical -ln p plus the network's bounded log-odds: evidence of two kinds in one unit (nats).

    Parameters
    ----------
    weight : of the log-odds, >= 0; 1 is the sum of both in nats, 2 counts the network's twice
    """
    return log_p + weight * np.clip(log_odds, *EVIDENCE_LIMITS)


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
    judged : what the scores come from: white, or that of blocks of bins where neighbours depend on each other
    dependence : bins over which they do, the median; 1 where each bin says something of its own
    smeared : the values without the steps or the floor they were written with
    """

    white: Whitened
    by_group: Float[ndarray, "2 bin"]
    attention: Float[ndarray, " cell"]
    log_odds: Float[ndarray, " cell"]
    combined: bool
    judged: Whitened
    dependence: float
    smeared: Smeared

    @property
    def scores(self) -> Float[ndarray, " bin"]:
        """The larger of the groups' scores."""
        return self.by_group.max(axis=0)

    @property
    def n_judged(self) -> int:
        """Bins, or blocks of them, that were judged: thresholds depend on their number."""
        return int((~np.isnan(self.judged.log_psd)).sum())


def score_spectrum(
    psd: Float[ndarray, " bin"],
    plan: Plan,
    n_segments: float | ndarray | None = None,
    with_network: bool = True,
    weights: dict[str, ndarray] | None = None,
) -> Scored:
    """Scores of one spectrum; psd and n_segments as in whitening.whiten, weights as in network.network_evidence.

    Values in coarse steps are drawn anew within them (statistic.steps). Where neighbouring bins depend on each other
    further than Hann's do, blocks of them are judged (statistic.dependence), their K measured.

    The network is asked with the K that the filter bank used. It is not asked about spectra of fewer or more bins, or
    of fewer averages, than it was trained on or tested with (network.in_range).
    """
    index = plan.grid.index
    redrawn = smeared(psd[index])
    psd = np.array(psd)
    psd[index] = redrawn.psd
    white = whiten(psd, plan, n_segments, redrawn.steps)
    stated = None if n_segments is None else float(np.median(np.asarray(n_segments)))
    lengths = dependence_lengths((white.log_psd - white.background)[index], stated)
    if lengths.max() > 1:
        return _in_blocks(psd, plan, white, lengths, redrawn, with_network, weights)
    by_group, evidence = _with_evidence(psd, plan, white, with_network, weights)
    if evidence is None:
        unknown = np.full(-(-len(psd) // WIDE_CELL), np.nan)
        return Scored(white, by_group, unknown, unknown, False, white, 1.0, redrawn)
    return Scored(white, by_group, evidence.attention, evidence.log_odds, True, white, 1.0, redrawn)


def _with_evidence(psd, plan, white, with_network, weights):
    """Scores by group with the network's evidence in them, and that evidence; None where it is not asked."""
    freqs, valid, index = plan.grid.freqs, plan.grid.valid, plan.grid.index
    if not with_network or not in_range(len(index), float(np.nanmedian(white.n_segments))):
        return white.by_group, None
    segments = np.interp(np.arange(len(freqs)), index, white.n_segments[index])
    evidence = network_evidence(freqs, psd, valid, segments, weights)
    log_odds = np.repeat(evidence.log_odds, WIDE_CELL)[: len(freqs)]
    return np.stack([add_evidence(part, log_odds) for part in white.by_group]), evidence


@dataclass(frozen=True, eq=False)
class _Blocks:
    """A spectrum of blocks of bins, judged.

    block, sizes : of each bin its block, and of each block its bins
    white, by_group, evidence : of the spectrum whose bins are the blocks
    """

    block: ndarray
    sizes: ndarray
    white: Whitened
    by_group: ndarray
    evidence: Evidence | None

    @classmethod
    def of(cls, psd, plan, lengths, shift, with_network, weights):
        """The blocks of bins that depend on each other over `lengths`, their ends moved by a share of a block."""
        block = blocks_of(plan.grid.valid, lengths, shift)
        sizes, measured = np.bincount(block), np.bincount(block, plan.grid.valid)
        freqs = np.bincount(block, plan.grid.freqs) / sizes
        means = np.bincount(block, np.where(plan.grid.valid, psd, 0.0)) / np.maximum(measured, 1)
        own_plan = Plan.of(freqs, measured > 0)
        white = whiten(means, own_plan)
        return cls(block, sizes, white, *_with_evidence(means, own_plan, white, with_network, weights))


def _in_blocks(psd, plan, white, lengths, redrawn, with_network, weights):
    """The statistic of blocks of bins, each bin with that of its block; of two sets, as a line may lie on an end.

    The larger score of two has twice the chance.
    """
    valid = plan.grid.valid
    sets = [_Blocks.of(psd, plan, lengths, shift, with_network, weights) for shift in (0.0, 0.5)]

    def larger(scores):
        return np.where(valid, np.fmax(*scores) - np.log(2), np.nan)

    first = sets[0]
    asked = all(one.evidence is not None for one in sets)
    spread = dataclasses.replace(
        white,
        by_group=larger([one.white.by_group[:, one.block] for one in sets]),
        widths=np.where(valid, (first.white.widths * first.sizes)[:, first.block], np.nan),
        background=np.where(valid, _between_blocks(first.white.background, first.sizes), np.nan),
        estimated=True,
    )
    cells = first.block[np.minimum(np.arange(0, len(psd), WIDE_CELL) + WIDE_CELL // 2, len(psd) - 1)] // WIDE_CELL
    unknown = np.full(len(cells), np.nan)
    return Scored(
        spread,
        larger([one.by_group[:, one.block] for one in sets]) if asked else spread.by_group,
        first.evidence.attention[cells] if asked else unknown,
        first.evidence.log_odds[cells] if asked else unknown,
        asked,
        first.white,
        float(np.median(lengths)),
        redrawn,
    )


def _between_blocks(values, sizes):
    """Values of blocks, NaN where a block is missing, interpolated between the blocks' centres to bins."""
    centres, known = np.cumsum(sizes) - (sizes + 1) / 2, ~np.isnan(values)
    return np.interp(np.arange(sizes.sum()), centres[known], values[known])
