"""One loss, three terms: what is hidden, what is counted, and that shares of a batch add up to the whole."""

from types import SimpleNamespace

import pytest
import torch

from nblib import TrainConfig
from nblib.model import noisy_tokens
from nblib.prediction import model_inputs
from nblib.training.objective import loss_terms, noise_labels, total_loss

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 16, "families": ("single_line", "vibration")}
ALONE = SimpleNamespace(reduce=lambda values, how: values, num_processes=1)


def setting(**changes):
    config = TrainConfig(**TINY | changes)
    data = config.dataset("train")
    return config, data, config.build_model(data.freqs), data.batch(range(8))


def test_masked_bins_and_gaps_are_hidden_and_gaps_never_counted():
    """Planted bug: masked bins counted whether valid or not."""
    config, data, model, batch = setting()
    batch["valid"] = batch["valid"].clone()
    batch["valid"][:, :1500] = False
    (values, hidden), _ = model_inputs(batch, any_grid=False)
    assert hidden[:, :1500].all()
    assert torch.equal(hidden[:, 1500:], batch["mask"][:, 1500:])
    assert values[batch["mask"]].abs().max() == 0
    terms, _ = loss_terms(model, batch, config, data.scale.spread)
    assert terms["mask"][1] == batch["mask"][:, 1500:].sum()


@pytest.mark.parametrize("regularizer", ["uniform_clean", "mean", "simple", "log_odds"])
@pytest.mark.parametrize("reg_layers", ["last", "all"])
def test_half_batches_add_up_to_the_whole(regularizer, reg_layers):
    """What makes several processes train the model that one would. Planted bug: means instead of sums in a term."""
    config, data, model, batch = setting(regularizer=regularizer, reg_layers=reg_layers)
    whole, _ = loss_terms(model, batch, config, data.scale.spread)
    halves = [{name: value[part] for name, value in batch.items()} for part in (slice(0, 3), slice(3, 8))]
    parts = [loss_terms(model, half, config, data.scale.spread)[0] for half in halves]
    for name, (total, count) in whole.items():
        assert count == sum(part[name][1] for part in parts)
        torch.testing.assert_close(sum(part[name][0] for part in parts), total, rtol=1e-5, atol=1e-6)


def test_the_loss_is_masked_error_plus_lambda_times_the_penalty():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_weight=3.0)
    terms, _ = loss_terms(model, batch, config, data.scale.spread)
    loss, values = total_loss(terms, config, ALONE)
    means = {name: (total / count).item() for name, (total, count) in terms.items()}
    assert loss.item() == pytest.approx(means["mask"] + 3 * means["reg"], rel=1e-6)
    assert values == pytest.approx({"loss": loss.item(), **means}, rel=1e-6)


def test_all_layers_means_their_mean():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_layers="all")
    last = TrainConfig(**TINY, regularizer="uniform_clean")
    together = loss_terms(model, batch, config, data.scale.spread)[0]["reg"][0]
    top = loss_terms(model, batch, last, data.scale.spread)[0]["reg"][0]
    model.layers = model.layers[:1]
    model.readout = "token"  # the first layer as it stands inside: all positions
    model.head = torch.nn.Linear(16, 20)
    first = loss_terms(model, batch, last, data.scale.spread)[0]["reg"][0]
    torch.testing.assert_close(together, (top + first) / 2)


def test_one_step_lowers_every_part_that_it_weighs():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_weight=1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss, values = total_loss(loss_terms(model, batch, config, data.scale.spread)[0], config, ALONE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(values["loss"])
    assert losses[1] < losses[0]


def test_the_mass_that_is_recorded_does_not_push():
    config, data, model, batch = setting()
    terms, attention = loss_terms(model, batch, config, data.scale.spread)
    assert not terms["noisy_mass"][0].requires_grad
    assert not attention.requires_grad
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(8))
    assert 0 < terms["noisy_mass"][0] / terms["noisy_mass"][1] < 1


LABEL_FREE = {"labels": "pseudo", "mask_policy": "any", "regularizer": "uniform_clean", "steps": 100}


def test_label_free_training_never_reads_the_truth():
    """Planted bug: the penalty's noisy tokens taken from batch["noisy"]."""
    config, data, model, batch = setting(**LABEL_FREE)
    told = loss_terms(model, batch, config, data.scale.spread, step=50)[0]
    blind = batch | {"noisy": torch.zeros_like(batch["noisy"]), "noise_interval": torch.full((8,), -1)}
    untold = loss_terms(model, blind, config, data.scale.spread, step=50)[0]
    for name in ("mask", "reg"):
        assert torch.equal(told[name][0], untold[name][0])
        assert told[name][1] == untold[name][1]


def test_labels_from_the_residual_start_when_told_and_always_count_in_validation():
    config, data, model, batch = setting(**LABEL_FREE)
    model.coefficients = model.basis = model.mean_shape = None
    model._decode = lambda cls_out, where: batch["background"].unflatten(1, (-1, 20)) + 0 * cls_out.sum()
    counts = {
        (mode, step): loss_terms(model.train(mode), batch, config, data.scale.spread, step)[0]["reg"][1].item()
        for mode in (True, False)
        for step in (29, 30)
    }
    assert counts == {(True, 29): 0, (True, 30): 8, (False, 29): 8, (False, 30): 8}


def test_labels_from_the_residual_find_the_lines_and_distrust_a_wrong_prediction():
    """Planted bug: a prediction that is wrong over almost half the spectrum believed."""
    config, data, _, _ = setting(**LABEL_FREE | {"families": ("single_line",)})
    batch = data.batch(range(200))
    found = noise_labels(batch["background"], batch, config, data.scale.spread)
    found, truth = noisy_tokens(found, 20), noisy_tokens(batch["noisy"], 20)
    assert (found & truth).sum() / truth.sum() > 0.93
    assert (found & truth).sum() / found.sum() > 0.9
    wrong = batch["background"].clone()
    wrong[:, :1400] -= 3.0
    distrusted = noise_labels(wrong, batch, config, data.scale.spread).all(dim=1)
    assert distrusted.float().mean() > 0.9  # without the limit on their share it would be none
    assert noise_labels(batch["background"], batch, config, data.scale.spread, started=False).all()
