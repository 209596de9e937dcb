"""The spectra that detectors are judged on: the same for every model, seed and training."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from nblib.cells import cell_labels
from nblib.dataset import NoiseBERTDataset, to_log_psd
from nblib.project.profiles import Sizes
from nblib.simulation.physics import LN_STD
from nblib.training.config import TrainConfig

STRENGTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)  # peak external power over background


def line_free(config: TrainConfig, n_spectra: int, split: str, **changes) -> NoiseBERTDataset:
    """Spectra without external noise, for thresholds ("validation") and for false alarms ("test")."""
    return config.dataset(split, n_spectra, seed=0, families=("none",), mask_policy="clean", **changes)


def alarm_set(config: TrainConfig, sizes: Sizes, split: str, **changes) -> NoiseBERTDataset:
    """Line-free spectra as calibration asks for them; fewer where their estimation noise is not the threshold's."""
    return line_free(config, sizes.n_correlated if "intrinsic" in changes else sizes.n_line_free, split, **changes)


def noisy_cells(data: NoiseBERTDataset) -> Bool[ndarray, "n cell"]:
    """Truth of every spectrum of a data set."""
    return cell_labels(data.batch(range(len(data)))["noisy"].numpy())


def at_strength(config: TrainConfig, name: str, n_spectra: int, strength: float) -> NoiseBERTDataset:
    """Test spectra whose strongest line peaks at `strength` times the background, or up to it for several lines."""
    return replace(config, amplitude=(strength, strength)).dataset(
        "test", n_spectra, seed=0, families=(name,), mask_policy="clean"
    )


def cells_above_half_maximum(
    config: TrainConfig, name: str, n_spectra: int, strength: float
) -> Bool[ndarray, "n cell"]:
    """Cells where the noise is above half its peak: a truth for lines that stay below NOISY_RATIO as well."""
    lines, twins = (at_strength(config, kind, n_spectra, strength) for kind in (name, "none"))
    targets = [data.batch(range(n_spectra))["target"].numpy().astype(np.float64) for data in (lines, twins)]
    return cell_labels(np.expm1((targets[0] - targets[1]) * LN_STD) > strength / 2)


def measured(data: NoiseBERTDataset) -> tuple[Float[ndarray, "n bin"], Float[ndarray, "n 2"], Bool[ndarray, "n bin"]]:
    """ln PSDs (ln A^2/Hz), energies (meV) and noisy bins of every spectrum of a data set."""
    batch = data.batch(range(len(data)))
    log_psd = to_log_psd(batch["target"].numpy())
    return log_psd, batch["energies"].numpy(), batch["noisy"].numpy()
