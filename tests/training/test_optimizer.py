"""The pair of optimizers steps as torch's own two would, and comes back from its state."""

import copy
from dataclasses import replace

import pytest
import torch

from nblib import TrainConfig
from nblib.model import NoiseBERT
from nblib.training.optimizer import MuonAdamW, orthogonal

CONFIG = TrainConfig(learning_rate=3e-3, muon_learning_rate=2e-2, weight_decay=0.1, adam_beta2=0.9)


def small_model():
    torch.manual_seed(0)
    return NoiseBERT(80, d_model=16, n_heads=2, num_layers=2, dim_feedforward=24, dropout=0.0, patch_size=20)


def give_gradients(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for value in model.parameters():
        value.grad = torch.randn(value.shape, generator=generator)


def after_steps(model, optimizers, n_steps=3, first=0):
    for seed in range(first, first + n_steps):
        give_gradients(model, seed)
        for optimizer in optimizers:
            optimizer.step()
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_it_steps_as_muon_on_the_layers_matrices_and_adamw_on_the_rest():
    """Planted bug: weight decay on biases; the embedding given to Muon."""
    ours, theirs = small_model(), small_model()
    muon = [value for name, value in theirs.named_parameters() if name.startswith("layers.") and value.ndim == 2]
    rest = [value for value in theirs.parameters() if not any(value is one for one in muon)]
    groups = [
        {"params": [value for value in rest if value.ndim == 2], "weight_decay": 0.1},
        {"params": [value for value in rest if value.ndim == 1], "weight_decay": 0.0},
    ]
    pair = [torch.optim.Muon(muon, lr=2e-2, weight_decay=0.1), torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.9))]
    start = {name: value.detach().clone() for name, value in ours.named_parameters()}
    one, other = after_steps(ours, [MuonAdamW(ours, CONFIG)]), after_steps(theirs, pair)
    assert len(muon) == 8
    for name, value in other.items():
        if name.startswith("layers.") and value.ndim == 2:  # theirs iterates in bfloat16
            assert (one[name] - value).norm() < 0.03 * (value - start[name]).norm()
        else:
            assert torch.equal(one[name], value)


def test_a_step_of_muon_is_nearly_orthogonal():
    """Planted bug: a tall matrix not transposed."""
    for shape in ((16, 48), (48, 16)):
        step = orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
        assert step.shape == shape
        singular = torch.linalg.svdvals(step)
        assert ((singular > 0.5) & (singular < 1.3)).all()


def test_without_muon_adamw_has_everything():
    ours, theirs = small_model(), small_model()
    groups = [
        {"params": [value for value in theirs.parameters() if value.ndim == 2], "weight_decay": 0.1},
        {"params": [value for value in theirs.parameters() if value.ndim == 1], "weight_decay": 0.0},
    ]
    alone = MuonAdamW(ours, replace(CONFIG, muon_learning_rate=0.0))
    one = after_steps(ours, [alone])
    other = after_steps(theirs, [torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.9))])
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_the_rate_is_a_share_of_each_groups_peak():
    optimizer = MuonAdamW(small_model(), CONFIG)
    optimizer.set_rate(0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1.5e-3, 1.5e-3, 1e-2])
    optimizer.set_rate(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([3e-3, 3e-3, 2e-2])


def test_it_goes_on_from_its_state():
    """Planted bug: the parts keep the state they had before load_state_dict."""
    model = small_model()
    optimizer = MuonAdamW(model, CONFIG)
    after_steps(model, [optimizer])
    copied = copy.deepcopy(model)
    resumed = MuonAdamW(copied, CONFIG)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one in (optimizer, resumed):
        one.set_rate(0.3)
    on, again = after_steps(model, [optimizer], first=3), after_steps(copied, [resumed], first=3)
    assert all(torch.equal(on[name], again[name]) for name in on)
