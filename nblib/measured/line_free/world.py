"""The `wide` world: spectra of laboratories whose background nobody can write down, with labels, keyed by index.

Spectrum i is the same in every batch, worker and restart. Neighbouring indices share a number of bins, so that a batch
of BLOCK of them needs no padding; other batches are padded with bins without a measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.cells import MIN_CLEAN_CELLS, NOISY_RATIO, WIDE_CELL, cell_labels
from nblib.measured.line_free.backgrounds import (
    LARGEST_GRID,
    SMALLEST_GRID,
    draw_background,
    draw_grid,
    log_uniform,
)
from nblib.measured.line_free.disturbances import ESTIMATORS, External, draw_estimate, draw_external, expected_ratio
from nblib.project.registry import refuse_if

BLOCK = 16  # consecutive indices with one number of bins
SPLITS = ("train", "validation", "test")
SIZE, GRID, BACKGROUND, EXTERNAL, ESTIMATE, GAPS = range(6)  # independent random streams of one spectrum
FEWEST_SEGMENTS, MOST_SEGMENTS = 4, 400
MAX_DRAWS = 100


@dataclass(frozen=True)
class WideSpectrum:
    """One spectrum and the truth about it; per bin unless noted otherwise.

    Attributes
    ----------
    freqs : Hz
    psd : measured, arbitrary unit, NaN where missing
    log_background : ln of the noise-free spectrum
    ratio : expected external power over background
    noisy : True where that exceeds NOISY_RATIO and is measured
    valid : False where missing
    n_segments : averages behind a bin (K times the bins merged into it), overlap not taken off
    estimator : "welch" or "welch_hann"
    grid : kind of the grid
    """

    freqs: Float[ndarray, " bin"]
    psd: Float[ndarray, " bin"]
    log_background: Float[ndarray, " bin"]
    ratio: Float[ndarray, " bin"]
    noisy: Bool[ndarray, " bin"]
    valid: Bool[ndarray, " bin"]
    n_segments: Float[ndarray, " bin"]
    estimator: str
    grid: str


@dataclass(frozen=True)
class WideWorld:
    """Domain randomisation for unknown backgrounds: world[i] is a WideSpectrum, world.batch(indices) a dict of arrays.

    Attributes
    ----------
    seed : >= 0; every draw is keyed by (seed, split, index)
    split : "train", "validation" or "test"
    n_bins : number of bins of every spectrum, or None for 300..10,000 (log-uniform, one for BLOCK indices)
    none_share : share of spectra without external noise
    estimator : "welch", "welch_hann", or None for half each
    n_segments : K of every spectrum, or None for 4..400 (log-uniform)
    grid : one kind of grid, or None for all
    gaps : draw missing bins

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    seed: int = 0
    split: str = "train"
    n_bins: int | None = None
    none_share: float = 0.2
    estimator: str | None = None
    n_segments: int | None = None
    grid: str | None = None
    gaps: bool = True
    sizes: tuple[int, int] = field(default=(SMALLEST_GRID, LARGEST_GRID))

    def __post_init__(self):
        refuse_if(self.split not in SPLITS, f"unknown split {self.split!r}; known: {', '.join(SPLITS)}")
        refuse_if(
            self.seed < 0 or int(self.seed) != self.seed, f"seed={self.seed} must be a whole number of at least 0"
        )
        refuse_if(
            self.estimator not in (None, *ESTIMATORS),
            f"unknown estimator {self.estimator!r}; known: {', '.join(ESTIMATORS)}, or None for both",
        )
        refuse_if(not 0 <= self.none_share <= 1, f"none_share={self.none_share} must lie in 0..1")
        for n_bins in self.sizes if self.n_bins is None else (self.n_bins,):
            refuse_if(n_bins < 100, f"n_bins={n_bins} must be at least 100: cells of {WIDE_CELL} bins and wide noise")
        refuse_if(
            self.n_segments is not None and self.n_segments < 2,
            f"n_segments={self.n_segments} must be at least 2 averaged segments",
        )

    def generator(self, stream: int, index: int) -> np.random.Generator:
        """Counter-based generator of one stream of one spectrum: Philox keyed by (seed, split; stream, index)."""
        key = np.array([self.seed, SPLITS.index(self.split) + 100], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, stream, 0, index], dtype=np.uint64)))

    def size_of(self, index: int) -> int:
        """Number of bins of spectrum `index`."""
        if self.n_bins is not None:
            return self.n_bins
        low, high = self.sizes
        return round(log_uniform(self.generator(SIZE, index // BLOCK), low, high + 0.4))

    def __getitem__(self, index: int) -> WideSpectrum:
        if index < 0 or int(index) != index:
            raise IndexError(f"index {index} must be a whole number of at least 0")
        grid = self._draw_grid(index)
        n_bins = len(grid.freqs)
        rng = self.generator(BACKGROUND, index)
        log_background = draw_background(rng, grid.freqs)
        external = self._draw_external(index, grid, log_background)
        rng = self.generator(ESTIMATE, index)
        estimator = ESTIMATORS[rng.integers(len(ESTIMATORS))]
        estimator = self.estimator or estimator
        averages = self._averages(rng, grid)
        factor = draw_estimate(rng, grid, external, averages, estimator)
        valid = _gaps(self.generator(GAPS, index), n_bins) if self.gaps else np.ones(n_bins, dtype=bool)
        ratio = expected_ratio(external, estimator, grid.merged)
        return WideSpectrum(
            grid.freqs,
            np.where(valid, np.exp(log_background) * factor, np.nan),
            log_background,
            ratio,
            (ratio > NOISY_RATIO) & valid,
            valid,
            averages * grid.merged,
            estimator,
            grid.kind,
        )

    def _draw_grid(self, index):
        rng = self.generator(GRID, index)
        for _ in range(MAX_DRAWS):
            grid = draw_grid(rng, self.size_of(index))
            if self.grid in (None, grid.kind):
                return grid
        raise ValueError(
            f"no grid of kind {self.grid!r} in {MAX_DRAWS} draws; use 'linear', 'log', 'merged' or 'spans'"
        )

    def _draw_external(self, index, grid, log_background):
        rng = self.generator(EXTERNAL, index)
        empty = External(np.zeros(len(grid.freqs)), np.zeros(0), np.zeros(0))
        if rng.random() < self.none_share:
            return empty
        for _ in range(MAX_DRAWS):
            external = draw_external(rng, grid, log_background)
            noisy = cell_labels(expected_ratio(external, "welch_hann", grid.merged) > NOISY_RATIO, 2 * WIDE_CELL)
            if 1 - noisy.mean() >= MIN_CLEAN_CELLS:
                return external
        return empty  # hardly ever: half of all draws leave enough clean

    def _averages(self, rng, grid):
        """K per bin before merging: one number, or one a span (spans of one spectrum differ by up to 10)."""
        first = log_uniform(rng, FEWEST_SEGMENTS, MOST_SEGMENTS + 0.4)
        factors = np.cumprod(np.concatenate([[1.0], log_uniform(rng, 1, 4, grid.span.max())]))
        averages = np.clip(np.rint(first * factors), FEWEST_SEGMENTS, MOST_SEGMENTS)[grid.span]
        return averages if self.n_segments is None else np.full(len(grid.span), float(self.n_segments))

    def batch(self, indices: Sequence[int]) -> dict[str, ndarray]:
        """Several spectra, padded to the longest with missing bins.

        Padded bins have the last bin's frequency, background and K.

        Returns
        -------
        freqs, psd, log_background, ratio, noisy, valid, n_segments (n, bin); estimator, grid, n_bins (n,)
        """
        rows = [self[int(index)] for index in indices]
        longest = max(len(row.freqs) for row in rows)
        names = ("freqs", "psd", "log_background", "ratio", "noisy", "valid", "n_segments")
        columns = {name: np.stack([_padded(getattr(row, name), longest, name) for row in rows]) for name in names}
        columns |= {name: np.array([getattr(row, name) for row in rows]) for name in ("estimator", "grid")}
        return columns | {"n_bins": np.array([len(row.freqs) for row in rows])}


PADDING = {"psd": np.nan, "ratio": 0.0, "noisy": False, "valid": False}


def _padded(values, length, name):
    missing = length - len(values)
    if not missing:
        return values
    return np.concatenate([values, np.full(missing, PADDING.get(name, values[-1]), dtype=values.dtype)])


def _gaps(rng, n_bins):
    """Valid bins: one spectrum in four has gaps (up to a seventh of the axis), one in ten lacks scattered bins."""
    valid = np.ones(n_bins, dtype=bool)
    kind = rng.random()
    if kind < 0.25:
        for _ in range(rng.integers(1, 4)):
            start, length = rng.integers(0, n_bins), int(log_uniform(rng, 2, n_bins / 20))
            valid[start : start + length] = False
    elif kind < 0.30:
        valid[rng.integers(0, 20) :: rng.integers(15, 100)] = False  # mains cut out
    elif kind < 0.35:
        valid &= rng.random(n_bins) > 0.05
    return valid
