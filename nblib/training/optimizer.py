"""Muon for the encoder's matrices and AdamW for the rest, as one optimizer."""

import torch
from torch import Tensor, nn

from nblib.training.schedule import Schedule

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of K. Jordan et al. 2024, as in torch.optim.Muon
NEWTON_SCHULZ_STEPS = 5


def orthogonal(update: Tensor) -> Tensor:
    """The nearest (semi-)orthogonal matrix, roughly: Muon's Newton-Schulz iteration, in float32.

    torch.optim.Muon iterates in bfloat16, which takes a CPU without bfloat16 units half of a training step's time.
    """
    first, second, third = NEWTON_SCHULZ
    wide = update.T if len(update) > update.shape[1] else update
    found = wide / wide.norm().clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=second, alpha=third), found, beta=first)
    return found.T if len(update) > update.shape[1] else found


class Float32Muon(torch.optim.Muon):
    """torch.optim.Muon with its default settings, iterating in float32."""

    @torch.no_grad()
    def step(self, closure=None) -> None:  # type: ignore[override]
        """As torch.optim.Muon's; a closure is not called."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(matrix.grad)
                averaged = state["momentum_buffer"].lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(matrix.grad.lerp(averaged, group["momentum"]))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-group["lr"] * max(1.0, len(matrix) / matrix.shape[1]) ** 0.5)


class MuonAdamW(torch.optim.Optimizer):
    """torch's Muon on the matrices inside the layers, torch's AdamW on everything else, one state and one step.

    Muon takes in_proj, out_proj and the feed-forward weights: those that its orthogonal steps are made for; with
    muon_learning_rate = 0 AdamW has everything. Every group carries its peak rate as "initial_lr". A gradient scaler
    and a checkpoint see one optimizer.
    Source of Muon: K. Jordan et al. 2024, as in torch.optim.Muon, in float32.
    """

    def __init__(self, model: nn.Module, schedule: Schedule):
        layers = model.get_submodule("layers").parameters() if schedule.muon_learning_rate > 0 else ()
        matrices = [value for value in layers if value.ndim == 2]
        chosen = {id(value) for value in matrices}
        rest = [value for value in model.parameters() if id(value) not in chosen]
        decayed = {"params": [value for value in rest if value.ndim > 1], "weight_decay": schedule.weight_decay}
        others = {"params": [value for value in rest if value.ndim <= 1], "weight_decay": 0.0}
        betas = (0.9, schedule.adam_beta2)
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW([decayed, others], schedule.learning_rate, betas)]
        if matrices:  # a convolutional network has none
            muon = Float32Muon(matrices, schedule.muon_learning_rate, schedule.weight_decay, momentum=0.95)
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
