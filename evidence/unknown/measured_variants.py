"""Copies of a measured spectrum with its frozen sites: with the ends cut off, and averaged into bands of ln f.

A copy has the quiet cells and the sites of the spectrum as far as they are in it; lines are injected into the copy.
"""

import dataclasses
from typing import Any

import numpy as np

from evidence.unknown.measured_spectra import MeasuredSpectrum
from nblib.cells import WIDE_CELL

END_SHARE = 0.05  # of the bins on either end, that the cut copy lacks
LINEAR_SHARE = 0.3  # of the bins, that the averaged copy leaves as they are
REACH = 2.04  # standard deviations, to an eighth of a line's height
LEAST_QUIET = 20  # cells of a copy; with fewer it is not judged
VARIANTS = ("as measured", "ends cut", "log-averaged")


def variant(spectrum: MeasuredSpectrum, sites: dict, name: str) -> tuple[MeasuredSpectrum, dict] | None:
    """The copy and its sites; None where it has too few quiet cells.

    Parameters
    ----------
    sites : of the spectrum, from measured_trials.frozen_sites
    name : one of VARIANTS
    """
    n_bins = len(spectrum.psd)
    if name == "as measured":
        return spectrum, sites
    if name == "ends cut":
        low = -(-int(END_SHARE * n_bins) // WIDE_CELL) * WIDE_CELL
        group = np.arange(n_bins) - low
        group[(group < 0) | (group >= n_bins - 2 * low)] = -1
    else:
        group = merged_bins(n_bins)
    copy, quiet = _grouped(spectrum, group), np.zeros(-(-n_bins // WIDE_CELL), dtype=bool)
    quiet[sites["quiet"]] = True
    bins = np.repeat(quiet, WIDE_CELL)[:n_bins]
    cells = [bins[group // WIDE_CELL == cell].all() for cell in range(-(-len(copy.psd) // WIDE_CELL))]
    copy_places: dict[str, Any] = {"quiet": np.flatnonzero(cells).tolist(), "centres": {}}
    for width, centres in sites["centres"].items():
        moved, reach = group[centres], REACH * float(width)
        inside = (moved >= reach) & (moved < len(copy.psd) - reach)
        copy_places["centres"][width] = list(dict.fromkeys(moved[inside].tolist()))
    return (copy, copy_places) if len(copy_places["quiet"]) >= LEAST_QUIET else None


def merged_bins(n_bins: int) -> np.ndarray:
    """Band of each bin: one band per bin at the low end, then bands of one relative width, at least a bin wide."""
    first = round(LINEAR_SHARE * n_bins)
    edges = np.unique(np.rint(first * (1 + 1 / first) ** np.arange(n_bins)).astype(int))
    starts = np.concatenate([np.arange(first), edges[edges < n_bins]])
    return np.searchsorted(np.unique(starts), np.arange(n_bins), side="right") - 1


def _grouped(spectrum, group):
    """Means over the groups; bins of group -1 are left out; K is that of the spectrum times the bins in the group."""
    kept = group >= 0
    sizes = np.bincount(group[kept])
    freqs, psd = (np.bincount(group[kept], values[kept]) / sizes for values in (spectrum.freqs, spectrum.psd))
    stated = spectrum.n_segments
    segments = None if stated is None else (stated if (sizes == 1).all() else stated * sizes)
    return dataclasses.replace(spectrum, freqs=freqs, psd=psd, n_segments=segments)
