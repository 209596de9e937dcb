"""Train the network for unknown backgrounds, on simulated spectra and on copies of measured ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evidence.unknown.network import WideNetwork, WideOutput
from evidence.unknown.texture import Texture, by_instruments, textured_spectrum
from nblib.cells import NOISY_RATIO, WIDE_CELL, cell_labels, cell_scores
from nblib.losses import REGULARIZERS
from nblib.measured.line_free.backgrounds import log_uniform
from nblib.measured.line_free.world import BLOCK, WideWorld
from nblib.measured.statistic.network_inputs import network_inputs
from nblib.project.paths import locked
from nblib.training.checkpoints import load_checkpoint
from nblib.training.schedule import Schedule
from nblib.training.steps import Training

UNKNOWN_SHARE = 0.3  # of the training spectra: K is not told but measured


@dataclass(frozen=True)
class WideTraining(Schedule):
    """What decides a run. texture_share : of the batches made of copies of measured
    spectra; start : name of the run that training continues from ("" = from nothing); attends : False trains the
    rival of convolutions only."""

    steps: int = 1000
    batch_size: int = BLOCK
    learning_rate: float = 4e-3
    warmup_ratio: float = 0.05
    sizes: tuple[int, int] = (300, 1500)
    attention_weight: float = 1.0
    strength_weight: float = 0.3
    texture_share: float = 0.0
    start: str = ""
    attends: bool = True


def simulated_batch(world: WideWorld, step: int, batch_size: int) -> dict[str, Tensor]:
    """Inputs and targets of one step: spectra step * batch_size onwards, all of one length."""
    rows = [world[step * batch_size + place] for place in range(batch_size)]
    told = np.random.default_rng([world.seed, 7, step]).random(batch_size) >= UNKNOWN_SHARE
    inputs = [
        network_inputs(row.freqs, row.psd, row.valid, row.n_segments if known else None)
        for row, known in zip(rows, told, strict=True)
    ]
    measured = np.stack([cell_labels(row.valid, WIDE_CELL) for row in rows])
    return _targets(np.stack(inputs), np.stack([row.ratio * row.valid for row in rows]), measured, measured)


def textured_batch(
    groups: list[list[Texture]], seed: int, step: int, batch_size: int, sizes: tuple[int, int]
) -> dict[str, Tensor]:
    """Inputs and targets of one step on copies of measured spectra, all of one length; only trusted cells and those
    with something injected carry a label.

    Parameters
    ----------
    groups : from texture.by_instruments
    sizes : fewest and most bins
    """
    rng = np.random.default_rng([seed, 8, step])
    n_bins = WIDE_CELL * round(log_uniform(rng, *sizes) / WIDE_CELL)
    rows = [textured_spectrum(rng, groups, n_bins) for _ in range(batch_size)]
    told = rng.random(batch_size) >= UNKNOWN_SHARE
    every = np.ones(n_bins, dtype=bool)
    inputs = [
        network_inputs(row.freqs, row.psd, every, row.n_segments if known else None)
        for row, known in zip(rows, told, strict=True)
    ]
    ratios = np.stack([row.ratio for row in rows])
    doubtful = np.stack([cell_labels(~row.trusted, WIDE_CELL) for row in rows])
    noisy = cell_labels(ratios > NOISY_RATIO, WIDE_CELL)
    return _targets(np.stack(inputs), ratios, np.ones_like(noisy), noisy | ~doubtful)


def _targets(inputs, ratio, measured, known):
    return {
        "inputs": torch.from_numpy(inputs),
        "noisy": torch.from_numpy(cell_labels(ratio > NOISY_RATIO, WIDE_CELL)),
        "strength": torch.from_numpy(np.log1p(cell_scores(ratio, WIDE_CELL) / NOISY_RATIO).astype(np.float32)),
        "known": torch.from_numpy(known & measured),
    }


class WideSteps(torch.utils.data.Dataset):
    """Item t is the t-th batch of a run, whatever came before: simulated spectra, or copies of measured ones."""

    def __init__(self, config: WideTraining, textures: list[Texture] | None):
        self.config, self.groups = config, by_instruments(textures or [])
        self.world = WideWorld(config.seed, "train", sizes=config.sizes)
        self.offset = 1_000_000 if config.start else 0  # a run that goes on sees new spectra

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        config = self.config
        if self.groups and np.random.default_rng([config.seed, 9, step]).random() < config.texture_share:
            return textured_batch(self.groups, config.seed, step, config.batch_size, config.sizes)
        return simulated_batch(self.world, step + self.offset, config.batch_size)


def wide_loss(output: WideOutput, batch: dict[str, Tensor], config: WideTraining) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the head, divergence of the CLS row from uniform over clean tokens, error of the strength.

    A token whose label is not known is in none of the terms; attention may go there at no cost. A network without
    attention has two terms.
    """
    noisy, known = batch["noisy"], batch["known"]
    head = F.binary_cross_entropy_with_logits(output.logit, noisy.float(), reduction="none")[known].mean()
    strength = F.smooth_l1_loss(output.strength, batch["strength"], reduction="none")[known].mean()
    loss = head + config.strength_weight * strength
    terms = {"head": head.item(), "strength": strength.item()}
    if output.cls_attn is not None:
        attention = REGULARIZERS["uniform_clean"](output.cls_attn, noisy, hidden=~known)
        loss, terms = loss + config.attention_weight * attention, terms | {"attention": attention.item()}
    return loss, terms


def train_wide(
    config: WideTraining,
    folder: Path,
    textures: list[Texture] | None = None,
    start: Path | None = None,
    log=None,
    n_workers: int = 0,
) -> WideNetwork:
    """Train, go on with, or load the run that lives in a folder.

    Parameters
    ----------
    folder : where it lives, see nblib.training.steps.Training
    textures : of measured spectra, needed where config.texture_share > 0
    start : weights to begin with
    log : called with one line of text at each checkpoint
    n_workers : processes that draw the spectra meanwhile, on cores of their own; the result is the same

    Raises
    ------
    ValueError where textures are asked for and none are given, and for weights to begin with that config.start
    does not name, or the other way round
    """
    if config.texture_share > 0 and not textures:
        raise ValueError(f"texture_share={config.texture_share} needs measured spectra; give `textures`")
    if bool(config.start) != (start is not None):
        raise ValueError(f"config.start={config.start!r} and start={start} must both be given, or neither")
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = WideNetwork(attends=config.attends)
    if start is not None:
        load_checkpoint(start, model)
    with locked(folder):
        training = Training(config, model, folder)

        def loss(batch, step):
            return wide_loss(training.model(batch["inputs"]), batch, config)

        for row in training.steps(WideSteps(config, textures), loss, n_workers=n_workers):
            if log and row:
                log(f"{row}")
    return model.cpu().eval()
