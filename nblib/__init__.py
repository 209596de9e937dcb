"""Noise-aware masked pretraining of power spectral densities."""

from importlib import import_module

from nblib.project.threads import use_one_thread

# where each public name lives; it is imported when first asked for, so that `nblib --help` need not wait for torch
HOMES = {
    "NoiseBERTDataset": "nblib.dataset",
    "AttentionWithWeights": "nblib.attention",
    "NoiseBERT": "nblib.model",
    "NoiseDetector": "nblib.analysis.detector",
    "TrainConfig": "nblib.training.config",
    "train": "nblib.training.loop",
    "train_many": "nblib.training.loop",
}
ROOMS = ("analysis", "dataset", "model", "losses", "prediction", "detection", "evaluation", "spectra", "training")

__all__ = [
    "AttentionWithWeights",
    "NoiseBERT",
    "NoiseBERTDataset",
    "NoiseDetector",
    "TrainConfig",
    "train",
    "train_many",
]

use_one_thread()


def __getattr__(name: str):
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    if name in ROOMS:
        return import_module(f"nblib.{name}")
    raise AttributeError(f"module 'nblib' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *HOMES, *ROOMS})
