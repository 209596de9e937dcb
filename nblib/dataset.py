"""Spectra with noise, labels and masks, drawn so that spectrum i is the same in every batch, worker and restart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from nblib.project.extensions import load_extensions, loaded_extensions
from nblib.spectra.cells import N_INTERVALS, NOISY_RATIO, noise_interval
from nblib.spectra.intrinsic import check_intrinsic, draw_intrinsic, log_bias, log_variance
from nblib.spectra.noise import FAMILIES, check_family, draw_external
from nblib.spectra.physics import (
    E_ALPHA_GRID,
    E_BETA_GRID,
    FLOOR,
    LN_MEAN,
    LN_STD,
    PUBLISHED_FREQS,
    published_tables,
    wide_log_psd,
)
from nblib.spectra.readers import Spectra, load_spectra

__all__ = ["NoiseBERTDataset", "Spectra", "load_spectra", "PRESETS", "SPLITS"]

PRESETS = ("published", "wide", "measured")
SPLITS = {"train": (0.0, 0.7), "validation": (0.7, 0.8), "test": (0.8, 1.0)}  # shares of the 32,000 pairs
MASK_POLICIES = ("clean", "any")
N_PUBLISHED = 32_000
DEFAULT_WIDE_SPECTRA = 32_000
PAIR_SEED = 20  # which 32,000 of the 40,000 energy pairs, and their split: the same for every seed
BACKGROUND, EXTERNAL, INTRINSIC, MASK = range(4)  # independent random streams of one spectrum


@dataclass(frozen=True)
class Scale:
    """z = (ln S - centre) / spread; centre is one number (`global`) or the spectrum's median (`per_spectrum`)."""

    centre: float | None
    spread: float

    def centres(self, log_psd: ndarray, valid: ndarray) -> ndarray:
        """(batch,) ln units."""
        if self.centre is not None:
            return np.full(len(log_psd), self.centre)
        return np.nanmedian(np.where(valid, log_psd, np.nan), axis=1)


class NoiseBERTDataset(torch.utils.data.Dataset):
    """Spectra for masked prediction, with the truth about their external noise.

    dataset[i] returns a dict of tensors, bins along the last axis: "input" float32 (masked bins and bins without a
    measurement are 0), "target" float32, "mask" bool (to be predicted), "freq" Hz, "noise_interval" int64 (-1 for
    none), "noisy" bool, "background" float32 (NaN if measured), "energies" (2,) meV (NaN if unknown), "family" int64
    (index into `families`, -1 for none), "valid" bool, "level" (the centre of the standardisation, ln units).

    Parameters
    ----------
    preset : "published" (the starting study's generator), "wide" (domain randomisation, any scale) or "measured" (a
        file's spectra as they are, nothing added)
    split : "train", "validation" or "test", disjoint in (Ea, Eb); a measured file is not split
    n_spectra : how many; None for all of the split. More than the split's pairs: pairs return with new noise
    seed : >= 0; every draw is keyed by (seed, split, epoch, index)
    families : noise families drawn with equal odds; names in noise.FAMILIES
    none_share : share of spectra without external noise
    amplitude : range of the peak external power relative to the local background
    intrinsic, n_segments : estimation noise, "welch", "welch_hann" or "soft_clipped", and K
    mask_width, mask_fraction, mask_policy, patch_size : blocks of mask_width bins (a multiple of patch_size), this
        share of the bins, "clean" = only blocks without a noisy bin, "any" = anywhere
    data_path : a file for load_spectra: with "measured" the spectra themselves, with "published" noise-free spectra
        that stand in for the generator's (the starting study's pickle), with "wide" the frequencies and gaps that its
        spectra are drawn with, so that a model fits the file
    freqs : Hz, the grid of the "wide" preset where there is no file; 1..3000 Hz if None

    Raises
    ------
    ValueError that names the value, the rule and the fix
    """

    def __init__(
        self,
        preset: str = "published",
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
        freqs: ndarray | None = None,
    ):
        load_extensions()  # installed packages may bring families
        _check_choice("preset", preset, PRESETS)
        _check_choice("split", split, SPLITS)
        _check_choice("mask_policy", mask_policy, MASK_POLICIES)
        check_intrinsic(intrinsic, n_segments)
        _check_ranges(n_spectra, seed, none_share, amplitude, mask_width, mask_fraction, patch_size)
        self.families = (families,) if isinstance(families, str) else tuple(families)
        for name in self.families:
            check_family(name)
        if not self.families:
            raise ValueError(f"families is empty; name at least one of {', '.join(FAMILIES)}")
        if preset == "measured" and data_path is None:
            raise ValueError("preset 'measured' needs data_path, a file with your spectra")
        if freqs is not None and (preset != "wide" or data_path is not None):
            raise ValueError("freqs goes with preset 'wide' and no data_path; the others bring their own frequencies")
        self.preset, self.split, self.seed = preset, split, int(seed)
        self.none_share, self.amplitude = none_share, tuple(amplitude)
        self.intrinsic, self.n_segments = intrinsic, int(n_segments)
        self.mask_width, self.mask_fraction, self.mask_policy = int(mask_width), mask_fraction, mask_policy
        self.scale = Scale(LN_MEAN, LN_STD) if preset == "published" else Scale(None, 1.0)
        self.epoch = 0
        self.stored = load_spectra(data_path) if data_path is not None else None
        self.freqs = self._grid(freqs)
        if len(self.freqs) < max(self.mask_width, N_INTERVALS):
            raise ValueError(
                f"the grid has {len(self.freqs)} bins; at least {max(self.mask_width, N_INTERVALS)} are needed (one "
                f"mask of {self.mask_width} bins, {N_INTERVALS} intervals): use a finer frequency resolution"
            )
        self.sources = self._sources()
        self.n_spectra = len(self.sources) if n_spectra is None else int(n_spectra)

    # ---- what there is ----

    def _grid(self, freqs):
        if self.stored is not None:
            return self.stored.freqs
        if freqs is None:
            return PUBLISHED_FREQS
        freqs = np.asarray(freqs, dtype=np.float64)
        if freqs.ndim != 1 or not np.isfinite(freqs).all() or freqs[0] <= 0 or (np.diff(freqs) <= 0).any():
            raise ValueError("freqs must be a one-dimensional array of positive, increasing frequencies in Hz")
        return freqs

    def _sources(self):
        """Which stored spectrum or energy pair each index reads, as indices."""
        if self.preset == "measured":
            return np.arange(len(self.stored.psd))
        low, high = SPLITS[self.split]
        n_stored = {"published": N_PUBLISHED, "wide": DEFAULT_WIDE_SPECTRA}[self.preset]
        order = np.random.default_rng(PAIR_SEED).permutation(len(E_ALPHA_GRID) * len(E_BETA_GRID))[:N_PUBLISHED]
        if self.preset == "published" and self.stored is not None:
            self._check_stored_background()
            n_stored = len(self.stored.psd)
            order = np.random.default_rng(PAIR_SEED).permutation(n_stored)
        sources = order[round(low * n_stored) : round(high * n_stored)]
        if not len(sources):
            raise ValueError(f"{n_stored} stored spectra leave none for split {self.split!r}; store more spectra")
        return sources

    def _check_stored_background(self):
        if not np.array_equal(self.stored.freqs, PUBLISHED_FREQS):
            raise ValueError("preset 'published' has bins at 1..3000 Hz; read this file with preset 'measured'")
        if not self.stored.valid.all():
            raise ValueError("preset 'published' needs noise-free spectra without gaps; use preset 'measured'")

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
        """ln of the noise-free spectra (batch, bin), energies (batch, 2) in meV and validity (batch, bin)."""
        source = self.sources[indices % len(self.sources)]
        unknown = np.full((len(indices), 2), np.nan)
        valid = np.ones((len(indices), len(self.freqs)), dtype=bool)
        if self.preset == "wide":
            if self.stored is not None:
                valid = self.stored.valid[indices % len(self.stored.valid)]
            return np.stack([wide_log_psd(self._generator(BACKGROUND, i), self.freqs) for i in indices]), unknown, valid
        if self.stored is not None:
            energies = unknown if self.stored.energies is None else self.stored.energies[source]
            valid = self.stored.valid[source]
            return np.log(np.where(valid, self.stored.psd[source], 1.0)), energies, valid
        row, column = source // len(E_BETA_GRID), source % len(E_BETA_GRID)
        alpha, beta = published_tables()
        energies = np.stack([E_ALPHA_GRID[row], E_BETA_GRID[column]], axis=1)
        return np.log(alpha[row] + beta[column] + FLOOR), energies, valid

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
        log_background, energies, valid = self._backgrounds(chosen)
        if self.preset == "measured":
            ratio, family = np.zeros_like(log_background), np.full(len(chosen), -1)
            log_psd = log_background
        else:
            ratio, factor, family = self._noise(chosen)
            log_psd = log_background + np.log1p(ratio) + np.log(factor)
            ratio = np.where(valid, ratio, 0.0)
        noisy = ratio > NOISY_RATIO
        masked = self._masks(chosen, ~valid | noisy if self.mask_policy == "clean" else ~valid)
        level = self.scale.centres(log_psd, valid)
        target = np.where(valid, (log_psd - level[:, None]) / self.scale.spread, 0.0).astype(np.float32)
        background = (log_background - level[:, None]) / self.scale.spread
        if self.preset == "measured":
            background = np.full_like(background, np.nan)
        return {
            "input": torch.from_numpy(np.where(masked, np.float32(0), target)),
            "target": torch.from_numpy(target),
            "mask": torch.from_numpy(masked),
            "freq": torch.from_numpy(np.array(self.freqs)).expand(len(chosen), -1),
            "noise_interval": torch.from_numpy(noise_interval(ratio)),
            "noisy": torch.from_numpy(noisy),
            "background": torch.from_numpy(background.astype(np.float32)),
            "energies": torch.from_numpy(energies.astype(np.float32)),
            "family": torch.from_numpy(family),
            "valid": torch.from_numpy(valid),
            "level": torch.from_numpy(level.astype(np.float32)),
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
        """E[standardised ln x - background] per bin: what a perfect mean prediction lies below the background."""
        return log_bias(self.freqs, self.intrinsic, self.n_segments) / self.scale.spread

    @property
    def error_floor(self) -> float:
        """Smallest masked mean squared error of a perfect prediction, standardised units: trigamma(K) / spread^2."""
        return float(log_variance(self.freqs, self.intrinsic, self.n_segments).mean()) / self.scale.spread**2

    def to_log_psd(self, standardised: ndarray, level: ndarray) -> ndarray:
        """ln PSD (unit^2/Hz) from standardised values; level as returned with the spectrum."""
        return np.asarray(standardised, np.float64) * self.scale.spread + np.asarray(level, np.float64)[..., None]


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
