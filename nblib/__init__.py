"""Noise-aware masked pretraining of power spectral densities."""

from nblib.dataset import NoiseBERTDataset
from nblib.model import AttentionWithWeights, NoiseBERT
from nblib.training.loop import TrainConfig, train, train_many

__all__ = ["AttentionWithWeights", "NoiseBERT", "NoiseBERTDataset", "TrainConfig", "train", "train_many"]
