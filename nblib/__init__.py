"""Noise-aware masked pretraining of power spectral densities."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nblib.attention import AttentionWithWeights
    from nblib.dataset import NoiseBERTDataset
    from nblib.measured.detector import NoiseDetector
    from nblib.model import NoiseBERT
    from nblib.training.config import TrainConfig
    from nblib.training.loop import train, train_many

# where each public name lives; it is imported when first asked for, so that detection never waits for torch
HOMES = {
    "AttentionWithWeights": "nblib.attention",
    "NoiseBERT": "nblib.model",
    "NoiseBERTDataset": "nblib.dataset",
    "NoiseDetector": "nblib.measured.detector",
    "TrainConfig": "nblib.training.config",
    "train": "nblib.training.loop",
    "train_many": "nblib.training.loop",
}

__all__ = [
    "AttentionWithWeights",
    "NoiseBERT",
    "NoiseBERTDataset",
    "NoiseDetector",
    "TrainConfig",
    "train",
    "train_many",
]


def __getattr__(name: str):
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'nblib' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *HOMES})
