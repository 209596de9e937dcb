"""Faithfulness: twins differ by their line alone, and each test says zero where a reliance is known to be absent."""

import numpy as np
import pytest
import torch

from nblib import TrainConfig
from nblib.evaluation.faithfulness import (
    faithfulness,
    forced_attention,
    gradient_on,
    line_free_twins,
    line_in_cls,
    output_change_on_erasing,
    output_change_on_swapping,
)
from nblib.prediction import model_inputs

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 16}


@pytest.fixture(scope="module", params=["cls", "token"])
def setting(request):
    config = TrainConfig(**TINY, readout=request.param)
    data = config.dataset("test")
    return config, config.build_model(data.freqs).eval(), next(iter(line_free_twins(config, "single_line", 20)))


def test_twins_differ_by_the_line_alone(setting):
    """Planted bug: the twin drawn with another seed."""
    _, _, (batch, twin) = setting
    added = (batch["target"] - twin["target"]).numpy()
    assert batch["noisy"].any(dim=1).all()
    assert not twin["noisy"].any()
    assert added.min() > -1e-5
    assert (added[batch["noisy"].numpy()] > np.log1p(0.25) / 0.73).all()
    assert np.abs(np.median(added, axis=1)).max() < 1e-3
    torch.testing.assert_close(batch["background"], twin["background"])


def test_swapped_attention_reaches_a_cls_readout_and_never_a_token_readout(setting):
    """The starting study's readout. Planted bug: rows forced on every layer."""
    config, model, (batch, _) = setting
    change = output_change_on_swapping(model, batch)
    assert (change > 0).all() if config.readout == "cls" else (change == 0).all()


def test_forced_rows_are_what_cls_then_attends(setting):
    config, model, (batch, _) = setting
    inputs, extra = model_inputs(batch, model.any_grid, hide=torch.zeros_like(batch["mask"]))
    rows = torch.zeros(len(batch["target"]), 2, 150)
    rows[..., 7] = 1.0
    with forced_attention(model, rows), torch.no_grad():
        _, one = model(*inputs, **extra)
        _, _, seen = model(*inputs, return_attention="cls", **extra)
    assert torch.equal(seen[-1], rows)
    with torch.no_grad():
        _, own = model(*inputs, **extra)
    assert not torch.allclose(one, own)
    assert "forward" not in vars(model.layers[-1].attention)


def test_what_the_model_cannot_see_changes_nothing(setting):
    """A model that is blind to values, its [MASK] like any token. Planted bug: erased tokens counted as change."""
    config, model, (batch, _) = setting
    kept = model.embed.weight.detach().clone()
    assert (gradient_on(model, batch, batch["noisy"]) > 0).all()
    assert (output_change_on_erasing(model, batch, batch["noisy"]) > 0).all()
    with torch.no_grad():
        model.embed.weight.zero_()
        mask, bias = model.mask_token.clone(), model.embed.bias.clone()
        model.mask_token.copy_(bias)
        assert (output_change_on_erasing(model, batch, batch["noisy"]) < 1e-6).all()
        model.mask_token.copy_(mask)
        model.embed.weight.copy_(kept)


def test_a_probe_scores_what_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    cls_out, strength = rng.normal(size=(200, 30)), rng.normal(size=200)
    first, rest = np.arange(200) < 100, np.arange(200) >= 100
    assert line_in_cls(cls_out, strength, first, rest) < 0.1
    assert line_in_cls(cls_out, cls_out[:, 0] * 2 + 1, first, rest) > 0.999


def test_the_whole_set_of_an_untrained_model(setting):
    config, model, _ = setting
    found = faithfulness(model, config, "single_line", 30)
    assert set(found) == {"erase", "erase elsewhere", "gradient", "swap", "line in CLS"}
    assert 0.3 < found["erase"] < 3
    assert 0.1 < found["erase elsewhere"] < 10
