"""Scores of different kinds on one scale: -ln p by the tail of the spectrum's own cells, and their combination."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

TAIL_FROM, TAIL_TO = 0.75, 0.93  # quantiles between which the tail is measured; above, real lines may stand


def tail_log_p(cells: Float[ndarray, " cell"]) -> Float[ndarray, " cell"]:
    """-ln p of each cell under an exponential tail fitted to the same spectrum's quiet cells; NaN stays NaN.

    The tail begins at the 75 % quantile and its scale is that of the cells up to the 93 % quantile, censored there, so
    that a few contaminated cells do not make the spectrum look wilder than it is. Below the beginning the rank counts.
    """
    known = np.isfinite(cells)
    values = cells[known]
    if len(values) < 8:
        return np.where(known, 0.0, np.nan)
    low, high = np.quantile(values, [TAIL_FROM, TAIL_TO])
    inside = (values > low) & (values <= high)
    # maximum likelihood of an exponential censored at `high`
    total = (values[inside] - low).sum() + (values > high).sum() * (high - low)
    scale = max(total / max(inside.sum(), 1), 1e-9)
    rank = np.searchsorted(np.sort(values), values, side="left") / len(values)
    start = -np.log(1 - TAIL_FROM)
    found = np.full(len(cells), np.nan)
    found[known] = np.where(values > low, start + (values - low) / scale, -np.log1p(-np.minimum(rank, TAIL_FROM)))
    return found


def combine(scores: Sequence[Float[ndarray, " cell"]], how: str = "max") -> Float[ndarray, " cell"]:
    """Several scores of one spectrum as one: the largest ("max") or the sum ("sum") of their -ln p.

    raises : ValueError for another rule
    """
    if how not in ("max", "sum"):
        raise ValueError(f"unknown rule {how!r}; known: max, sum")
    parts = np.stack([tail_log_p(row) for row in scores])
    return parts.max(axis=0) if how == "max" else parts.sum(axis=0)


EVIDENCE_LIMIT = 3.0  # of the network's log-odds, either way: how sure it may be on structure it has never seen


def add_evidence(
    log_p: Float[ndarray, "*n cell"], log_odds: Float[ndarray, "*n cell"], weight: float = 1.0
) -> Float[ndarray, "*n cell"]:
    """Classical -ln p plus the network's bounded log-odds: evidence of two kinds in one unit (nats).

    weight : of the log-odds, >= 0; 1 adds both in nats, nothing is tuned. benchmarks/network_injections.py has others:
        chosen on the stretch that the network was trained on, the weight is 4 and narrow lines elsewhere suffer
    """
    return log_p + weight * np.clip(log_odds, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
