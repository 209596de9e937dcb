"""Spectra with noise, labels and masks, drawn so that spectrum i is the same in every batch, worker and restart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from nblib.cells import NOISY_RATIO, noise_interval
from nblib.project.extensions import load_extensions, loaded_extensions
from nblib.project.paths import resolve_data_path
from nblib.simulation.estimation import check_intrinsic, draw_intrinsic, log_bias, log_variance
from nblib.simulation.noise import FAMILIES, check_family, draw_external
from nblib.simulation.physics import (
    E_ALPHA_GRID,
    E_BETA_GRID,
    FLOOR,
    LN_MEAN,
    LN_STD,
    PUBLISHED_FREQS,
    published_tables,
)
from nblib.stored import read_stored

SPLITS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}  # shares of the 32,000 pairs
MASK_POLICIES = ("clean", "any")
PAIRS = ("interleaved", "held_out")
REGION_CORNERS = (
    (30, 30),
    (30, 140),
    (140, 30),
    (140, 140),
)  # of the region held out: four blocks of the grid of pairs
REGION_SIDE, REGION_MARGIN = 30, 10  # steps of 0.1 meV; nothing is learnt nearer to a block than the margin
N_PUBLISHED = 32_000
PAIR_SEED = 20  # which 32,000 of the 40,000 energy pairs, and their split: the same for every seed
EXTERNAL, INTRINSIC, MASK = 1, 2, 3  # independent random streams of one spectrum


class NoiseBERTDataset(torch.utils.data.Dataset):
    """Spectra of the starting study's generator for masked prediction, with the truth about their external noise.

    dataset[i] returns a dict of tensors, bins along the last axis: "input" float32 (masked bins are 0), "target"
    float32, "mask" bool (to be predicted), "freq" Hz, "noise_interval" int64 (-1 for none), "noisy" bool, "background"
    float32, "energies" (2,) meV (NaN where a file does not say), "family" int64 (index into `families`, -1 for none).
    Levels are standardised: (ln PSD - LN_MEAN) / LN_STD.

    Parameters
    ----------
    split : "train", "validation" or "test", disjoint in (Ea, Eb)
    n_spectra : how many; None for all of the split. More than the split's pairs: pairs return with new noise
    seed : >= 0; every draw is keyed by (seed, split, epoch, index)
    families : noise families drawn with equal odds; names in noise.FAMILIES
    none_share : share of spectra without external noise
    amplitude : range of the peak external power relative to the local background
    intrinsic, n_segments : estimation noise, "welch", "welch_hann" or "soft_clipped", and K
    mask_width, mask_fraction, mask_policy, patch_size : blocks of mask_width bins (a multiple of patch_size), this
        share of the bins, "clean" = only blocks without a noisy bin, "any" = anywhere
    pairs : "interleaved" = the splits lie between each other on the grid of energies; "held_out" = the test is the
        interleaved test's pairs in four blocks of 3 meV by 3 meV inside the grid, and no pair of the other splits is
        nearer to a block than 1 meV in both energies (Chebyshev distance)
    data_path : .npz of nblib.stored with noise-free spectra at 1..3000 Hz that stand in for the generator's; None: none

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    def __init__(
        self,
        split: str = "train",
        n_spectra: int | None = None,
        seed: int = 0,
        *,
        families: Sequence[str] = ("single_line",),
        none_share: float = 0.2,
        amplitude: tuple[float, float] = (0.5, 3.0),
        intrinsic: str = "welch",
        n_segments: float = 8,
        mask_width: int = 20,
        mask_fraction: float = 0.15,
        mask_policy: str = "clean",
        patch_size: int = 20,
        data_path: str | Path | None = None,
        pairs: str = "interleaved",
    ):
        load_extensions()  # installed packages may bring families
        _check_choice("split", split, SPLITS)
        _check_choice("mask_policy", mask_policy, MASK_POLICIES)
        _check_choice("pairs", pairs, PAIRS)
        check_intrinsic(intrinsic, n_segments)
        _check_ranges(n_spectra, seed, none_share, amplitude, mask_width, mask_fraction, patch_size)
        self.families = (families,) if isinstance(families, str) else tuple(families)
        for name in self.families:
            check_family(name)
        if not self.families:
            raise ValueError(f"families is empty; name at least one of {', '.join(FAMILIES)}")
        self.split, self.seed = split, int(seed)
        self.none_share, self.amplitude = none_share, tuple(amplitude)
        self.intrinsic, self.n_segments = intrinsic, int(n_segments)
        self.mask_width, self.mask_fraction, self.mask_policy = int(mask_width), mask_fraction, mask_policy
        self.epoch = 0
        self.freqs = PUBLISHED_FREQS
        self.stored = None if data_path is None else read_stored(resolve_data_path(data_path))
        if self.stored is not None and not np.array_equal(self.stored.freqs, PUBLISHED_FREQS):
            raise ValueError(f"{data_path} must have bins at 1..3000 Hz, as the generator; its own axis is another")
        if pairs == "held_out" and data_path is not None:
            raise ValueError("pairs='held_out' is a region of the generator's energies; a file's are not known")
        self.pairs = pairs
        self.sources = self._sources()
        self.n_spectra = len(self.sources) if n_spectra is None else int(n_spectra)

    def _sources(self):
        """Which stored spectrum or energy pair each index reads, as indices."""
        low, high = SPLITS[self.split]
        n_pairs = len(E_ALPHA_GRID) * len(E_BETA_GRID) if self.stored is None else len(self.stored.psd)
        order = np.random.default_rng(PAIR_SEED).permutation(n_pairs)[:N_PUBLISHED]
        sources = order[round(low * len(order)) : round(high * len(order))]
        if self.pairs == "held_out":
            distance = _steps_to_region(sources // len(E_BETA_GRID), sources % len(E_BETA_GRID))
            sources = sources[distance == 0 if self.split == "test" else distance >= REGION_MARGIN]
        if not len(sources):
            raise ValueError(f"{n_pairs} stored spectra leave none for split {self.split!r}; store more spectra")
        return sources

    def __len__(self) -> int:
        return self.n_spectra

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_extensions": loaded_extensions()}  # a worker process started anew knows none

    def __setstate__(self, state: dict) -> None:
        load_extensions(state.pop("_extensions"))
        self.__dict__.update(state)

    def set_epoch(self, epoch: int) -> None:
        """Choose which pass over the spectra is drawn; each epoch has its own noise and masks."""
        self.epoch = int(epoch)

    # ---- drawing ----

    def _generator(self, stream: int, index: int | np.integer) -> np.random.Generator:
        """Counter-based generator of one stream of one spectrum: Philox keyed by (seed, split; epoch, index)."""
        split_id = list(SPLITS).index(self.split)
        key = np.array([self.seed, split_id], dtype=np.uint64)
        counter = np.array([0, stream, self.epoch, index], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=counter))

    def _backgrounds(self, indices):
        """ln of the noise-free spectra (batch, bin) and energies (batch, 2) in meV."""
        source = self.sources[indices % len(self.sources)]
        if self.stored is not None:
            energies = self.stored.energies
            unknown = np.full((len(indices), 2), np.nan)
            return np.log(self.stored.psd[source]), unknown if energies is None else energies[source]
        row, column = source // len(E_BETA_GRID), source % len(E_BETA_GRID)
        alpha, beta = published_tables()
        return np.log(alpha[row] + beta[column] + FLOOR), np.stack([E_ALPHA_GRID[row], E_BETA_GRID[column]], axis=1)

    def _noise(self, indices):
        """External ratio and intrinsic factor (batch, bin), and the family drawn (batch,)."""
        ratio = np.zeros((len(indices), len(self.freqs)))
        factor = np.ones_like(ratio)
        family = np.full(len(indices), -1)
        for row, index in enumerate(indices):
            rng = self._generator(EXTERNAL, index)
            has_none, choice = rng.random() < self.none_share, int(rng.integers(len(self.families)))
            if not has_none and self.families[choice] != "none":
                family[row] = choice
                ratio[row] = draw_external(rng, self.freqs, self.families[choice], self.amplitude)
            factor[row] = draw_intrinsic(self._generator(INTRINSIC, index), self.freqs, self.intrinsic, self.n_segments)
        return ratio, factor, family

    def _masks(self, indices, avoid):
        """Bins to predict (batch, bin): whole blocks, never one that holds a bin to avoid."""
        n_blocks = len(self.freqs) // self.mask_width
        n_masked = max(1, round(self.mask_fraction * n_blocks))
        inside = n_blocks * self.mask_width
        blocked = avoid[:, :inside].reshape(len(indices), n_blocks, self.mask_width).any(axis=2)
        keys = np.stack([self._generator(MASK, index).random(n_blocks) for index in indices])
        keys[blocked] = np.inf
        chosen = np.argsort(keys, axis=1, kind="stable")[:, :n_masked]
        blocks = np.zeros((len(indices), n_blocks), dtype=bool)
        np.put_along_axis(blocks, chosen, True, axis=1)
        masked = np.zeros((len(indices), len(self.freqs)), dtype=bool)
        masked[:, :inside] = np.repeat(blocks & ~blocked, self.mask_width, axis=1)
        return masked

    def batch(self, indices: Sequence[int | np.integer] | ndarray) -> dict[str, Tensor]:
        """One vectorised batch: the dict of `dataset[i]` with a leading batch axis.

        Raises
        ------
        IndexError for an index outside 0..len-1
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= self.n_spectra):
            raise IndexError(f"index {chosen.min()}..{chosen.max()} is outside 0..{self.n_spectra - 1}")
        log_background, energies = self._backgrounds(chosen)
        ratio, factor, family = self._noise(chosen)
        noisy = ratio > NOISY_RATIO
        masked = self._masks(chosen, noisy if self.mask_policy == "clean" else np.zeros_like(noisy))
        target = _standardised(log_background + np.log1p(ratio) + np.log(factor))
        return {
            "input": torch.from_numpy(np.where(masked, np.float32(0), target)),
            "target": torch.from_numpy(target),
            "mask": torch.from_numpy(masked),
            "freq": torch.from_numpy(np.array(self.freqs)).expand(len(chosen), -1),
            "noise_interval": torch.from_numpy(noise_interval(ratio)),
            "noisy": torch.from_numpy(noisy),
            "background": torch.from_numpy(_standardised(log_background)),
            "energies": torch.from_numpy(energies.astype(np.float32)),
            "family": torch.from_numpy(family),
        }

    def __getitem__(self, index: int | np.integer) -> dict[str, Tensor]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int | np.integer]) -> list[dict[str, Tensor]]:
        """Many spectra drawn together; torch's DataLoader calls it with a whole batch of indices."""
        together = self.batch(indices)
        return [{key: value[row] for key, value in together.items()} for row in range(len(indices))]

    # ---- units ----

    @property
    def log_bias(self) -> ndarray:
        """E[standardised ln x - background] in each bin: what a perfect mean prediction lies below the background."""
        return log_bias(self.freqs, self.intrinsic, self.n_segments) / LN_STD

    @property
    def error_floor(self) -> float:
        """Smallest masked mean squared error of a perfect prediction, standardised: trigamma(K) / LN_STD^2."""
        return float(log_variance(self.freqs, self.intrinsic, self.n_segments).mean()) / LN_STD**2


def _steps_to_region(row, column):
    """Chebyshev distance to the nearest block of the region held out, in steps of the grid; 0 inside."""
    corner = np.array(REGION_CORNERS)[:, :, None]
    below, above = corner - np.stack([row, column]), np.stack([row, column]) - (corner + REGION_SIDE - 1)
    return np.maximum(np.maximum(below, above), 0).max(axis=1).min(axis=0)


def to_log_psd(standardised: ndarray | Tensor) -> ndarray:
    """ln PSD (ln A^2/Hz) from standardised values."""
    return np.asarray(standardised, np.float64) * LN_STD + LN_MEAN


def _standardised(log_psd):
    return ((log_psd - LN_MEAN) / LN_STD).astype(np.float32)


def _check_choice(what, value, known):
    if value not in known:
        raise ValueError(f"unknown {what} {value!r}; known: {', '.join(known)}")


def _check_ranges(n_spectra, seed, none_share, amplitude, mask_width, mask_fraction, patch_size):
    if n_spectra is not None and (n_spectra < 1 or int(n_spectra) != n_spectra):
        raise ValueError(f"n_spectra={n_spectra} must be a whole number of at least 1, or None for the whole split")
    if seed < 0 or int(seed) != seed:
        raise ValueError(f"seed={seed} must be a whole number of at least 0")
    if not 0 <= none_share <= 1:
        raise ValueError(f"none_share={none_share} must lie in 0..1")
    if len(amplitude) != 2 or not 0 <= amplitude[0] <= amplitude[1]:
        raise ValueError(f"amplitude={amplitude} must be (low, high) with 0 <= low <= high")
    if not 0 < mask_fraction < 1:
        raise ValueError(f"mask_fraction={mask_fraction} must lie between 0 and 1")
    if mask_width < 1 or patch_size < 1 or mask_width % patch_size:
        raise ValueError(f"mask_width={mask_width} must be a multiple of patch_size={patch_size}")
