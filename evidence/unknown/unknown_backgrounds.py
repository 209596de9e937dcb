"""Locked tests on unknown backgrounds, what a user would pick there, and average precision per 10-bin cell.

A method is a callable (freqs, psd, valid, n_segments) -> score per bin of one spectrum: higher where noise is more
likely, NaN where a bin is missing. n_segments is K per bin, or None where it is not known.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import average_precision_score

from evidence.unknown.second_world import SecondWorld
from nblib.cells import WIDE_CELL, cell_labels, cell_scores
from nblib.measured.line_free.world import WideSpectrum, WideWorld
from nblib.measured.statistic.background import NORMAL_QUARTILE
from nblib.measured.statistic.scatter import lower_spread
from nblib.measured.statistic.score import score_spectrum
from nblib.measured.statistic.whitening import Plan, whiten
from nblib.scoring import metrics
from nblib.smoothing import log_median, rolling_median

LOCKED_SEED, N_LOCKED, N_SECOND, N_TUNE = 2026, 600, 400, 160
WINDOWS = (101, 401, 801)  # bins
FILTERS = {"narrow": (0.5,), "1-3": (0.5, 1.0, 3.0), "all": (0.5, 1.0, 3.0, 9.0, 27.0)}  # Gaussian, standard deviation
CLIP_ROUNDS, CLIP_LIMIT = 6, 3.0  # iterated clipping: rounds, standard deviations
FILTER_CLIP = 6.0  # standard deviations

Score = Callable[[ndarray, ndarray, ndarray, ndarray | None], ndarray]


def _drawn(world, n_spectra):
    return [world[index] for index in range(n_spectra)]


def locked_test(n_spectra: int = N_LOCKED) -> list[WideSpectrum]:
    """The locked test of the `wide` world: 600 spectra, 300..10,000 bins, all grids, K and estimators."""
    return _drawn(WideWorld(LOCKED_SEED, "test"), n_spectra)


def tuning_set(n_spectra: int = N_TUNE) -> list[WideSpectrum]:
    """Validation spectra on which settings are chosen."""
    return _drawn(WideWorld(LOCKED_SEED, "validation"), n_spectra)


def second_test(n_spectra: int = N_SECOND) -> list[WideSpectrum]:
    """Spectra of the second generator, never trained on and never tuned on."""
    return _drawn(SecondWorld(LOCKED_SEED), n_spectra)


# ---- classical methods ----


def _filled(log_psd: Float[ndarray, " bin"], valid: Bool[ndarray, " bin"]) -> Float[ndarray, " bin"]:
    """ln x with missing bins interpolated between their neighbours."""
    return np.interp(np.arange(len(log_psd)), np.flatnonzero(valid), log_psd[valid])


def _clipped_mean(
    log_psd: Float[ndarray, " bin"], valid: Bool[ndarray, " bin"], smooth: Callable, spread: Callable
) -> Float[ndarray, " bin"]:
    """Iterated clipping: a smooth mean of ln x over the bins that do not stand out from it, repeated.

    Parameters
    ----------
    smooth : weighted sum of the bins around each bin
    spread : standard deviation of the estimate, from the residual of the bins kept so far
    """
    keep = valid
    for _ in range(CLIP_ROUNDS):
        weight = smooth(keep.astype(float))
        background = _filled(smooth(np.where(keep, log_psd, 0.0)) / np.maximum(weight, 1e-9), weight > 1e-6)
        residual = log_psd - background
        keep = valid & (residual < CLIP_LIMIT * spread(residual[keep]))
    return background


def _whitened(log_psd, background, valid, n_segments):
    """Residual x/S - 1 in standard deviations; K from the residual's lower half where it is not given."""
    if n_segments is None:
        n_segments = 1 / max(lower_spread((log_psd - background)[valid]), 1e-6) ** 2
    log_ratio = log_psd - background + log_median(n_segments)
    return np.where(valid, np.expm1(np.minimum(log_ratio, 40.0)) * np.sqrt(n_segments), 0.0)


def _filtered(residual, widths):
    """Largest response of unit-variance Gaussian filters; 0.5 stands for the bin itself.

    The filters see the residual clipped: unclipped, strong lines set broad ones off far away (AP 0.30 instead of 0.28
    to 0.43 for all widths on the tuning spectra).
    """
    clipped = np.clip(residual, -FILTER_CLIP, FILTER_CLIP)
    best = residual.copy() if 0.5 in widths else np.full_like(residual, -np.inf)
    for width in widths:
        if width > 0.5:
            gain = np.sqrt(2 * width * np.sqrt(np.pi))  # 1 / norm of a unit-area Gaussian
            np.maximum(best, gaussian_filter1d(clipped, width, mode="nearest", truncate=4) * gain, out=best)
    return best


def _filters_on(background: Callable[[ndarray, ndarray], ndarray], widths: Sequence[float]) -> Score:
    """Gaussian filters on what stands above a background(ln x, valid) of one spectrum, its gaps interpolated."""

    def score(freqs, psd, valid, n_segments=None):
        log_psd = _filled(np.log(np.where(valid, psd, 1.0)), valid)
        scores = _filtered(_whitened(log_psd, background(log_psd, valid), valid, n_segments), widths)
        return np.where(valid, scores, np.nan)

    return score


def median_score(window: int, widths: Sequence[float]) -> Score:
    """Running median of ln x over `window` bins, and Gaussian filters on what stands above it."""
    return _filters_on(lambda log_psd, _: rolling_median(log_psd, window), widths)


def clipping_score(window: int, widths: Sequence[float]) -> Score:
    """Iterated clipping: a running mean of ln x, bins more than 3 standard deviations above it left out, repeated."""
    smooth = partial(gaussian_filter1d, sigma=window / 4, mode="nearest")
    spread = lambda kept: np.median(np.abs(kept)) / NORMAL_QUARTILE  # noqa: E731
    return _filters_on(lambda log_psd, valid: _clipped_mean(log_psd, valid, smooth, spread), widths)


def bank_score(freqs, psd, valid, n_segments=None):
    """-ln p of the calibrated filter bank on two robust backgrounds: nblib/measured/statistic/whitening.py."""
    return whiten(psd, Plan.of(freqs, valid), n_segments).scores


def classical_methods() -> dict[str, Score]:
    """Every classical method and setting, by name."""
    methods = {f"median {w}, {name}": median_score(w, widths) for w in WINDOWS for name, widths in FILTERS.items()}
    methods |= {f"clipping {w}, {name}": clipping_score(w, FILTERS[name]) for w in (401,) for name in ("narrow", "all")}
    return methods | {"bank": bank_score}


# ---- scores per cell ----


def cells_of(score: Score, spectra: Sequence[WideSpectrum], known: bool = True) -> list[ndarray]:
    """Score per 10-bin cell of every spectrum; NaN where a cell holds no measured bin."""
    cells = []
    for row in spectra:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = score(row.freqs, row.psd, row.valid, row.n_segments if known else None)
        cells.append(cell_scores(np.where(row.valid, values, np.nan), WIDE_CELL))
    return cells


DETECTOR = ("shipped detector", "its classical part", "network, attention", "network, token head")


def detector_cells(spectra: Sequence[WideSpectrum], known: bool = True) -> dict[str, list[ndarray]]:
    """Score per cell of the shipped detector and of its parts, by name (DETECTOR).

    Where the network is not asked, its rows are NaN and the detector is its classical part.
    """
    by_part: dict[str, list[ndarray]] = {name: [] for name in DETECTOR}
    for row in spectra:
        scored = score_spectrum(row.psd, Plan.of(row.freqs, row.valid), row.n_segments if known else None)
        attention = -np.log(np.maximum(scored.attention, np.finfo(np.float32).tiny))
        parts = (
            cell_scores(scored.scores, WIDE_CELL),
            cell_scores(scored.white.scores, WIDE_CELL),
            attention,
            scored.log_odds,
        )
        for name, cells in zip(DETECTOR, parts, strict=True):
            by_part[name].append(cells)
    return by_part


def truth_of(spectra: Sequence[WideSpectrum]) -> list[ndarray]:
    """True where a cell holds a noisy bin, per spectrum."""
    return [cell_labels(row.noisy, WIDE_CELL) for row in spectra]


def _flat(cells, truth):
    owner = np.repeat(np.arange(len(cells)), [len(row) for row in cells])
    scores, labels = np.concatenate(cells), np.concatenate(truth)
    kept = np.isfinite(scores)
    return scores[kept], labels[kept], owner[kept]


def cell_precision(cells: list[ndarray], truth: list[ndarray]) -> float:
    """Average precision over the cells of all spectra, unadjusted."""
    scores, labels, _ = _flat(cells, truth)
    return float(average_precision_score(labels, scores))


def precision_draws(cells: list[ndarray], truth: list[ndarray], n_draws: int = 200, seed: int = 0) -> ndarray:
    """Average precision when the spectra are drawn again with replacement; the same draws for every method."""
    scores, labels, owner = _flat(cells, truth)
    return metrics.precision_draws(scores, labels, owner, len(cells), n_draws, seed)
