"""Faithfulness: twins differ by their line alone, and each test says zero where a reliance is known to be absent."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from evidence.faithfulness import (
    error_with_even_attention,
    faithfulness,
    forced_attention,
    gradient_on,
    line_free_twins,
    line_in_cls,
    output_change_by_path,
    output_change_on_erasing,
    output_change_on_swapping,
)
from nblib import TrainConfig
from nblib.model import model_inputs

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 16}


@pytest.fixture(scope="module", params=["cls", "token", "residual"])
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
    assert (change == 0).all() if config.readout == "token" else (change > 0).all()


def test_forced_rows_are_what_cls_then_attends(setting):
    config, model, (batch, _) = setting
    inputs = model_inputs(batch, torch.zeros_like(batch["mask"]))
    rows = torch.zeros(len(batch["target"]), 2, 150)
    rows[..., 7] = 1.0
    is_token = config.readout == "token"
    with forced_attention(model, rows) if is_token else nullcontext(), torch.no_grad():
        _, one, seen = model(*inputs, return_attention="cls", attend=None if is_token else rows)
    assert torch.equal(seen[-1], rows)
    with torch.no_grad():
        _, own = model(*inputs)
    assert not torch.allclose(one, own)
    assert not is_token or "forward" not in vars(model.layers[-1].attention)


def test_rows_and_values_are_told_apart(setting):
    """A model that sees no values changes by its rows alone, one that attends evenly by its values alone.

    Planted bug: the twin's rows forced on the twin's values.
    """
    config, model, (batch, twin) = setting
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    if config.readout == "token":
        change = output_change_by_path(model, batch, twin)
        assert (change["rows"] == 0).all()
        assert (change["line"] > 0).all()
        return
    with torch.no_grad():
        model.value_patch.weight.zero_()
        blind = output_change_by_path(model, batch, twin)
        assert (blind["values"] == 0).all()
        torch.testing.assert_close(torch.tensor(blind["rows"]), torch.tensor(blind["line"]), rtol=0, atol=1e-6)
        assert (blind["rows"] > 0).all()
        model.load_state_dict(kept)
        if config.readout == "cls":
            model.layers[-1].query.weight.zero_()
            model.layers[-1].query.bias.zero_()
        model.passes = 1
        even = output_change_by_path(model, batch, twin)
        assert (even["rows"] == 0).all()
        assert (even["values"] > 0).all()
        model.load_state_dict(kept)
        model.passes = config.passes
    bias = torch.zeros(batch["target"].shape[1])
    assert error_with_even_attention(model, batch, bias)[1] != error_with_even_attention(model, batch, bias)[0]


def test_what_the_model_cannot_see_changes_nothing(setting):
    """A model that is blind to values, its [MASK] like any token. Planted bug: erased tokens counted as change."""
    config, model, (batch, _) = setting
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    assert (gradient_on(model, batch, batch["noisy"]) > 0).all()
    assert (output_change_on_erasing(model, batch, batch["noisy"]) > 0).all()
    with torch.no_grad():
        if config.readout != "residual":
            model.embed.weight.zero_()
            model.embed_contrasts.weight.zero_()
            model.mask_token.copy_(model.embed.bias + model.embed_contrasts.bias)
        if config.readout != "token":  # a hidden token is left out, so a blind model must not look at all
            model.value_patch.weight.zero_()
            model.value_where.weight.zero_()
        assert (output_change_on_erasing(model, batch, batch["noisy"]) < 1e-6).all()
        model.load_state_dict(kept)


def test_a_probe_scores_what_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    cls_out, strength = rng.normal(size=(200, 30)), rng.normal(size=200)
    first, rest = np.arange(200) < 100, np.arange(200) >= 100
    assert line_in_cls(cls_out, strength, first, rest) < 0.1
    assert line_in_cls(cls_out, cls_out[:, 0] * 2 + 1, first, rest) > 0.999


@pytest.mark.slow
def test_the_whole_set_of_an_untrained_model(setting):
    config, model, _ = setting
    measures = faithfulness(model, config, "single_line", 30)
    lengths = {f"{name} ln" for name in ("erase", "erase twin", "erase elsewhere", "line", "rows", "values", "swap")}
    assert set(measures) == lengths | {"erase", "erase elsewhere", "gradient", "even", "line in CLS"}
    assert measures["erase"] == pytest.approx(measures["erase ln"] / measures["erase twin ln"])
    assert 0.1 < measures["erase"] < 10  # an untrained model has no reason for either side
    assert 0.1 < measures["erase elsewhere"] < 10
    assert (measures["swap ln"] == 0) == (config.readout == "token")
