"""The encoder's inputs alone as detectors: how far a cell stands out from what is near, without a network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import LogisticRegression

from evidence.test_sets import Sizes, noisy_cells
from nblib.assessment import held_out
from nblib.cells import CELL_WIDTH
from nblib.dataset import NoiseBERTDataset
from nblib.model import contrasts
from nblib.smoothing import LOWER
from nblib.training.config import TrainConfig

N_MEAN, N_NEIGHBOURS = 3, 7  # cells, odd: of the running mean, and of the logistic regression
BLOCK = 500  # spectra at a time


@dataclass(frozen=True)
class Standard:
    """Median and lower spread of the contrasts at each place, of spectra without labels: lines hardly move them."""

    middle: Float[ndarray, "cell width"]
    spread: Float[ndarray, "cell width"]

    @classmethod
    def of(cls, data: NoiseBERTDataset) -> "Standard":
        """From a data set."""
        low, middle = np.quantile(_contrasts(data), [LOWER, 0.5], axis=0)
        return cls(middle, middle - low)

    def read(self, data: NoiseBERTDataset) -> Float[ndarray, "n cell width"]:
        """Contrasts of every spectrum in spreads above the median of their place."""
        return (_contrasts(data) - self.middle) / self.spread


def input_scores(
    config: TrainConfig, name: str, sizes: Sizes
) -> dict[str, Callable[[NoiseBERTDataset], Float[ndarray, "n cell"]]]:
    """Scores of a data set's cells by rival: the largest contrast, its running mean, and a regression with labels.

    Parameters
    ----------
    name : noise family of the validation spectra that contrasts are standardised on, and of the training spectra whose
        labels the regression is fitted to
    """
    standard = Standard.of(held_out(config, name, sizes.n_tune, "validation"))
    labelled = config.dataset("train", sizes.n_probe, families=(name,))
    regression = LogisticRegression(max_iter=1000)
    regression.fit(_neighbours(standard.read(labelled)), noisy_cells(labelled).ravel())

    def largest(data):
        return standard.read(data).max(axis=-1)

    def with_labels(data):
        values = standard.read(data)
        return regression.decision_function(_neighbours(values)).reshape(values.shape[:2])

    return {
        "largest contrast": largest,
        f"mean of {N_MEAN} contrasts": lambda data: uniform_filter1d(largest(data), N_MEAN, axis=1, mode="nearest"),
        "contrasts, logistic regression": with_labels,
    }


def _contrasts(data):
    """(n, cell, width), nothing hidden."""
    parts = []
    for start in range(0, len(data), BLOCK):
        spectra = data.batch(range(start, min(start + BLOCK, len(data))))["target"]
        parts.append(contrasts(spectra, torch.ones_like(spectra, dtype=torch.bool), CELL_WIDTH).numpy())
    return np.concatenate(parts)


def _neighbours(values):
    """All contrasts of a cell and of those around it, a row per cell; beyond the ends the end cells go on."""
    half = N_NEIGHBOURS // 2
    padded = np.pad(values, ((0, 0), (half, half), (0, 0)), mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(padded, N_NEIGHBOURS, axis=1)  # (n, cell, width, neighbour)
    return rows.reshape(values.shape[0] * values.shape[1], -1)
