"""Muon for the encoder's matrices and AdamW for the rest, as one optimizer."""

import torch
from torch import nn

from nblib.training.config import TrainConfig


class MuonAdamW(torch.optim.Optimizer):
    """torch's Muon on the matrices inside the layers, torch's AdamW on everything else, one state and one step.

    Muon takes in_proj, out_proj and the feed-forward weights: those that its orthogonal steps are made for; with
    muon_learning_rate = 0 AdamW has everything. Every group carries its peak rate as "initial_lr". A gradient scaler
    and a checkpoint see one optimizer.
    Source of Muon: K. Jordan et al. 2024, as in torch.optim.Muon.
    """

    def __init__(self, model: nn.Module, config: TrainConfig):
        layers = model.get_submodule("layers").parameters() if config.muon_learning_rate > 0 else ()
        matrices = [value for value in layers if value.ndim == 2]
        chosen = {id(value) for value in matrices}
        rest = [value for value in model.parameters() if id(value) not in chosen]
        decayed = {"params": [value for value in rest if value.ndim > 1], "weight_decay": config.weight_decay}
        others = {"params": [value for value in rest if value.ndim <= 1], "weight_decay": 0.0}
        betas = (0.9, config.adam_beta2)
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW([decayed, others], config.learning_rate, betas)]
        if matrices:  # a convolutional network has none
            muon = torch.optim.Muon(matrices, config.muon_learning_rate, config.weight_decay, momentum=0.95)
            self._parts.append(muon)
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]
        self._share()

    def _share(self):
        """Let the parts work on this optimizer's groups and state."""
        start = 0
        for part in self._parts:
            stop = start + len(part.param_groups)
            part.param_groups, part.state = self.param_groups[start:stop], self.state
            start = stop

    def load_state_dict(self, state_dict: dict) -> None:
        """As torch.optim.Optimizer's."""
        super().load_state_dict(state_dict)
        self._share()

    def set_rate(self, share: float) -> None:
        """Set every group's rate to a share of its peak."""
        for group in self.param_groups:
            group["lr"] = share * group["initial_lr"]

    @torch.no_grad()
    def step(self, closure=None) -> None:  # type: ignore[override]
        """One step of every part, on the gradients as they stand; a closure is not called."""
        for part in self._parts:
            part.step()
