"""Noise-aware masked pretraining of power spectral densities."""

from nblib.attention import AttentionWithWeights
from nblib.dataset import NoiseBERTDataset
from nblib.model import NoiseBERT
from nblib.training.loop import TrainConfig, train, train_many

__all__ = ["AttentionWithWeights", "NoiseBERT", "NoiseBERTDataset", "TrainConfig", "train", "train_many"]
