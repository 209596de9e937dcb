"""Muon for the encoder's matrices and AdamW for the rest, as one optimizer."""

import torch
from torch import nn

from nblib.config import TrainConfig


class MuonAdamW(torch.optim.Optimizer):
    """torch's Muon on the matrices inside the layers, torch's AdamW on everything else, one state and one step.

    Matrices are in_proj, out_proj and the feed-forward weights: those that Muon's orthogonal steps are made for.
    Every group carries its peak rate as "initial_lr". A gradient scaler and a checkpoint see one optimizer.
    Source of Muon: K. Jordan et al. 2024, as in torch.optim.Muon.
    """

    def __init__(self, model: nn.Module, config: TrainConfig):
        matrices = [value for value in model.layers.parameters() if value.ndim == 2]
        chosen = {id(value) for value in matrices}
        rest = [value for value in model.parameters() if id(value) not in chosen]
        decayed = {"params": [value for value in rest if value.ndim > 1], "weight_decay": config.weight_decay}
        others = {"params": [value for value in rest if value.ndim <= 1], "weight_decay": 0.0}
        betas = (0.9, config.adam_beta2)
        self._muon = torch.optim.Muon(matrices, config.muon_learning_rate, config.weight_decay, momentum=0.95)
        self._adamw = torch.optim.AdamW([decayed, others], config.learning_rate, betas)
        super().__init__([*self._muon.param_groups, *self._adamw.param_groups], {})
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]
        self._share()

    def _share(self):
        """Let both parts work on this optimizer's groups and state."""
        self._muon.param_groups, self._adamw.param_groups = self.param_groups[:1], self.param_groups[1:]
        self._muon.state = self._adamw.state = self.state

    def load_state_dict(self, state_dict: dict) -> None:
        """As torch.optim.Optimizer's."""
        super().load_state_dict(state_dict)
        self._share()

    def set_rate(self, share: float) -> None:
        """Set every group's rate to a share of its peak."""
        for group in self.param_groups:
            group["lr"] = share * group["initial_lr"]

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """One step of both."""
        self._muon.step(closure)
        self._adamw.step()
