"""One loss, three terms: what is hidden, what is counted, and that shares of a batch add up to the whole."""

from types import SimpleNamespace

import pytest
import torch

from nblib import TrainConfig
from nblib.objective import loss_terms, model_inputs, total_loss

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
    (values, hidden), _ = model_inputs(batch, config)
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
