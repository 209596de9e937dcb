"""Fixed cells and intervals of the frequency axis: where a spectrum counts as noisy, and scores per cell."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

NOISY_RATIO = 0.25  # external power over background from which on a bin counts as noisy
N_INTERVALS = 30  # equal parts of the frequency axis; the label names one
CELL_WIDTH = 20  # bins; the fixed detection cell of the published spectra
WIDE_CELL = 10  # bins; the fixed detection cell where the background is unknown, and a token of its network
MIN_CLEAN_CELLS = 0.3  # a draw of noise that leaves a smaller share of cells clean is drawn again


def clean_cells(noisy: Bool[ndarray, " bin"]) -> float:
    """Share of 20-bin cells that hold no noisy bin; a shorter last cell is not counted."""
    cell_width = min(CELL_WIDTH, len(noisy))
    n_cells = len(noisy) // cell_width
    return 1 - noisy[: n_cells * cell_width].reshape(n_cells, cell_width).any(axis=1).mean()


def noise_interval(ratio: ndarray) -> ndarray:
    """The interval (of 30 equal ones) that holds the most external power over background; -1 without a noisy bin.

    Parameters
    ----------
    ratio : (batch, bin) external power over background

    Returns
    -------
    (batch,) int64 in -1..29
    """
    noisy = (ratio > NOISY_RATIO).any(axis=1)
    return np.where(noisy, pool_bins(ratio, N_INTERVALS, np.add).argmax(axis=1), -1)


def pool_bins(values: ndarray, n_groups: int, ufunc: np.ufunc) -> ndarray:
    """Reduce the last axis over n_groups runs of (nearly) equally many bins; (..., bin) -> (..., n_groups)."""
    starts = np.arange(n_groups) * values.shape[-1] // n_groups
    return ufunc.reduceat(values, starts, axis=-1)


def cell_edges(n_bins: int, width: int = CELL_WIDTH) -> ndarray:
    """First bin of each cell of `width` bins; the last cell may be shorter."""
    return np.arange(0, n_bins, width)


def cell_labels(noisy: Bool[ndarray, "*n bin"], width: int = CELL_WIDTH) -> Bool[ndarray, "*n cell"]:
    """Truth per cell: True where the cell holds a noisy bin."""
    return np.logical_or.reduceat(noisy, cell_edges(noisy.shape[-1], width), axis=-1)


def cell_scores(scores: Float[ndarray, "*n bin"], width: int = CELL_WIDTH) -> Float[ndarray, "*n cell"]:
    """Score per cell: the largest score of its measured bins; NaN where none was measured."""
    return np.fmax.reduceat(scores, cell_edges(scores.shape[-1], width), axis=-1)


def intervals_max(cells: ndarray, n_bins: int) -> ndarray:
    """Score or truth per interval (30 equal ones): the largest of the cells that overlap it, (..., 30)."""
    starts = np.arange(N_INTERVALS) * n_bins // N_INTERVALS
    ends = np.append(starts[1:], n_bins)
    parts = [cells[..., first // CELL_WIDTH : -(-last // CELL_WIDTH)] for first, last in zip(starts, ends, strict=True)]
    return np.stack([part.max(axis=-1) for part in parts], axis=-1)


def kept_bins(flagged: Bool[ndarray, "n cell"], n_bins: int) -> Bool[ndarray, "n bin"]:
    """Bins outside the flagged cells and their neighbours, into which a line's wings reach."""
    wide = flagged.copy()
    wide[:, 1:] |= flagged[:, :-1]
    wide[:, :-1] |= flagged[:, 1:]
    return ~np.repeat(wide, CELL_WIDTH, axis=1)[:, :n_bins]
