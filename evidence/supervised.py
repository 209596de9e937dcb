"""Detectors trained on the labels directly: what a user with labels would pick instead of reading attention."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from nblib.dataset import NoiseBERTDataset
from nblib.model import noisy_tokens, patches
from nblib.project.paths import locked, runs_dir
from nblib.training.config import TrainConfig
from nblib.training.steps import StepData, Training

READ_BATCH = 100


class LineCNN(nn.Module):
    """1-D convolutional network: standardised ln PSD (batch, bin) to one logit per token (batch, token).

    Residual convolutions over 9 steps of `stride` bins at dilations 1 to 8, so that a token sees 500 bins around it;
    the largest logit within a token decides.

    Raises
    ------
    ValueError when patch_size is not a multiple of stride
    """

    def __init__(self, patch_size: int, channels: int = 32, dilations: Sequence[int] = (1, 2, 4, 8), stride: int = 4):
        super().__init__()
        if patch_size % stride:
            raise ValueError(f"patch_size={patch_size} must be a multiple of stride={stride}")
        self.steps_per_token = patch_size // stride
        self.first = nn.Conv1d(1, channels, 9, padding=4, stride=stride)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 9, padding="same", dilation=dilation) for dilation in dilations
        )
        self.head = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Float[Tensor, "batch bin"]) -> Float[Tensor, "batch token"]:
        """Logits."""
        hidden = self.first(x[:, None])
        for layer in self.layers:
            hidden = hidden + layer(F.gelu(hidden))
        return patches(self.head(F.gelu(hidden))[:, 0], self.steps_per_token).amax(dim=-1)


class TokenHead(nn.Module):
    """The encoder of `config` with a logit read from each token: the same network, trained on the labels."""

    def __init__(self, config: TrainConfig, freqs: ndarray):
        super().__init__()
        self.encoder = config.build_model(freqs)

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's, whose matrices MuonAdamW gives to Muon."""
        return self.encoder.layers

    def forward(self, x: Float[Tensor, "batch bin"]) -> Float[Tensor, "batch token"]:
        """Logits."""
        out, _ = self.encoder(x, torch.zeros_like(x, dtype=torch.bool))
        return patches(out, self.encoder.patch_size).mean(dim=-1)


KINDS = ("cnn", "token_head")


def train_supervised(kind: str, config: TrainConfig) -> nn.Module:
    """Train, or load, a detector on simulated labels: cross-entropy per token, the data and steps of `config`.

    Parameters
    ----------
    kind : "cnn" or "token_head"
    config : its data, sizes, rates and steps count; readout must be "token", and losses do not matter

    Raises
    ------
    ValueError for another kind or readout
    """
    if kind not in KINDS or config.readout != "token":
        raise ValueError(f"kind={kind!r}, readout={config.readout!r}: give one of {', '.join(KINDS)}, readout 'token'")
    folder = runs_dir("supervised", f"{kind}-{config.digest('evidence.supervised:train_supervised')}")
    data = config.dataset("train", config.n_spectra)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = LineCNN(config.patch_size) if kind == "cnn" else TokenHead(config, data.freqs)
    with locked(folder):
        training = Training(config, model, folder)

        def loss(batch, step):
            truth = noisy_tokens(batch["noisy"], config.patch_size).float()
            value = F.binary_cross_entropy_with_logits(training.model(batch["target"]), truth)
            return value, {"train_loss": value.item()}

        for _ in training.steps(StepData(data, config.batch_size), loss):
            pass
    return model.cpu().eval()


@torch.no_grad()
def supervised_score(model: nn.Module, dataset: NoiseBERTDataset) -> Float[ndarray, "n token"]:
    """Logits of every spectrum of a data set; a score per cell where a token is a cell of 20 bins."""
    parts = []
    for start in range(0, len(dataset), READ_BATCH):
        batch = dataset.batch(range(start, min(start + READ_BATCH, len(dataset))))
        parts.append(model(batch["target"]).numpy())
    return np.concatenate(parts)
