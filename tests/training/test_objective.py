"""One loss, three terms: what is hidden, what is counted, and that shares of a batch add up to the whole."""

from types import SimpleNamespace

import pytest
import torch

from nblib import TrainConfig
from nblib.model import model_inputs, noisy_tokens
from nblib.training.objective import loss_terms, pseudo_labels, total_loss

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 2, "dim_feedforward": 16, "families": ("single_line", "vibration")}
ALONE = SimpleNamespace(reduce=lambda values, how: values, num_processes=1)


def setting(**changes):
    config = TrainConfig(**TINY | changes)
    data = config.dataset("train")
    return config, data, config.build_model(data.freqs), data.batch(range(8))


def test_masked_bins_are_hidden_and_counted():
    """Planted bug: the target given to the model as it is."""
    config, data, model, batch = setting()
    values, hidden = model_inputs(batch)
    assert torch.equal(hidden, batch["mask"])
    assert values[batch["mask"]].abs().max() == 0
    assert loss_terms(model, batch, config)[0]["mask"][1] == batch["mask"].sum()


@pytest.mark.parametrize("regularizer", ["uniform_clean", "mean", "simple", "log_odds"])
@pytest.mark.parametrize("reg_layers", ["last", "all"])
def test_half_batches_add_up_to_the_whole(regularizer, reg_layers):
    """What makes several processes train the model that one would. Planted bug: means instead of sums in a term."""
    config, data, model, batch = setting(regularizer=regularizer, reg_layers=reg_layers)
    whole, _ = loss_terms(model, batch, config)
    halves = [{name: value[part] for name, value in batch.items()} for part in (slice(0, 3), slice(3, 8))]
    parts = [loss_terms(model, half, config)[0] for half in halves]
    for name, (total, count) in whole.items():
        assert count == sum(part[name][1] for part in parts)
        torch.testing.assert_close(sum(part[name][0] for part in parts), total, rtol=1e-5, atol=1e-6)


def test_the_loss_is_masked_error_plus_lambda_times_the_penalty():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_weight=3.0)
    terms, _ = loss_terms(model, batch, config)
    loss, values = total_loss(terms, config, ALONE)
    means = {name: (total / count).item() for name, (total, count) in terms.items()}
    assert loss.item() == pytest.approx(means["mask"] + 3 * means["reg"], rel=1e-6)
    columns = {"train_loss": loss.item(), "mask_loss": means["mask"], "reg_loss": means["reg"]}
    assert values == pytest.approx(columns | {"noisy_mass": means["noisy_mass"]}, rel=1e-6)


def test_all_layers_means_their_mean():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_layers="all")
    last = TrainConfig(**TINY, regularizer="uniform_clean")
    together = loss_terms(model, batch, config)[0]["reg"][0]
    top = loss_terms(model, batch, last)[0]["reg"][0]
    model.layers = model.layers[:1]
    model.readout = "token"  # the first layer as it stands inside
    model.head = torch.nn.Linear(16, 20)
    first = loss_terms(model, batch, last)[0]["reg"][0]
    torch.testing.assert_close(together, (top + first) / 2)


def test_one_step_lowers_every_part_that_it_weighs():
    config, data, model, batch = setting(regularizer="uniform_clean", reg_weight=1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss, values = total_loss(loss_terms(model, batch, config)[0], config, ALONE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(values["train_loss"])
    assert losses[1] < losses[0]


def test_the_mass_that_is_recorded_does_not_push():
    config, data, model, batch = setting()
    terms, attention = loss_terms(model, batch, config)
    assert not terms["noisy_mass"][0].requires_grad
    assert not attention.requires_grad
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(8))
    assert 0 < terms["noisy_mass"][0] / terms["noisy_mass"][1] < 1


LABEL_FREE = {"labels": "pseudo", "mask_policy": "any", "regularizer": "uniform_clean", "steps": 100}


def test_label_free_training_never_reads_the_truth():
    """Planted bug: the penalty's noisy tokens taken from batch["noisy"]."""
    config, data, model, batch = setting(**LABEL_FREE)
    told = loss_terms(model, batch, config, step=50)[0]
    blind = batch | {"noisy": torch.zeros_like(batch["noisy"]), "noise_interval": torch.full((8,), -1)}
    untold = loss_terms(model, blind, config, step=50)[0]
    for name in ("mask", "reg"):
        assert torch.equal(told[name][0], untold[name][0])
        assert told[name][1] == untold[name][1]


def drawing(prediction, **changes):
    """The label-free setting with a model that draws what it is told to."""
    config, data, model, batch = setting(**LABEL_FREE | changes)
    model.coefficients = model.basis = model.mean_shape = None
    model._basis = lambda dtype: None
    model._decode = lambda cls_out, basis: prediction(batch) + 0 * cls_out.sum()
    return config, data, model, batch


def test_pseudo_labels_start_when_told_and_always_count_in_validation():
    config, data, model, batch = drawing(lambda batch: batch["background"])
    counts = {
        (mode, step): loss_terms(model.train(mode), batch, config, step)[0]["reg"][1].item()
        for mode in (True, False)
        for step in (9, 10)
    }
    assert counts == {(True, 9): 0, (True, 10): 8, (False, 9): 8, (False, 10): 8}


def test_a_residual_readout_is_told_where_to_look_only_while_it_trains():
    """Even weights before pseudo-labels count, the truth's clean tokens where labels are simulated, then its own.

    Planted bug: the truth's tokens in validation as well.
    """
    rows = {}
    for labels, policy in (("pseudo", "any"), ("simulated", "clean")):
        config, data, model, batch = setting(
            labels=labels, mask_policy=policy, readout="residual", steps=100, none_share=0.0
        )
        for mode, step in ((True, 5), (True, 50), (False, 5)):
            rows[labels, mode, step] = loss_terms(model.train(mode), batch, config, step)[1]
        hidden = noisy_tokens(batch["mask"], 20)
        truth = noisy_tokens(batch["noisy"], 20)
    assert ((rows["simulated", True, 5] > 0) == (~truth & ~hidden)).all()
    assert torch.equal(rows["simulated", True, 5], rows["simulated", True, 50])
    assert not torch.equal(rows["simulated", True, 5], rows["simulated", False, 5])
    early = rows["pseudo", True, 5]
    assert all(len(torch.unique(row[row > 0])) == 1 for row in early)
    assert torch.equal(rows["pseudo", True, 50], rows["pseudo", False, 5])
    assert not torch.equal(rows["pseudo", True, 50], early)


def test_masked_errors_count_less_where_noise_is_probable():
    """Planted bug: the error weighted by the probability of noise instead of cleanness."""
    config, data, model, batch = drawing(lambda batch: batch["background"], mask_fraction=0.9, none_share=0.0)
    late, early = (loss_terms(model.train(), batch, config, step)[0]["mask"] for step in (10, 9))
    assert early[1] == batch["mask"].sum()
    assert 0.8 < late[1] / early[1] < 1
    assert late[0] / late[1] < 0.97 * early[0] / early[1]


@pytest.mark.slow
def test_pseudo_labels_find_the_lines_whatever_the_level_of_the_prediction():
    """Planted bug: the spread of a standardised unit left out."""
    config, data, _, _ = setting(**LABEL_FREE | {"families": ("single_line",)})
    batch = data.batch(range(200))
    truth = noisy_tokens(batch["noisy"], 20)
    for offset in (0.0, 0.5):
        labels = pseudo_labels(batch["background"] + offset, batch, config) > 0.5
        assert (labels & truth).sum() / truth.sum() > 0.9
        assert (labels & truth).sum() / labels.sum() > 0.9


def test_what_all_spectra_show_at_one_place_is_a_wrong_background():
    """Planted bug: the share taken over the tokens of a spectrum."""
    config, data, _, _ = setting(**LABEL_FREE | {"families": ("single_line",)})
    batch = data.batch(range(40))
    wrong = batch["background"].clone()
    wrong[:, :40] -= 2.0
    labels, right = (pseudo_labels(value, batch, config) for value in (wrong, batch["background"]))
    assert (labels[:, :2] == 0).all()
    elsewhere = slice(30, None)
    assert right[:, :2].mean() < 0.1
    assert (labels - right)[:, elsewhere].abs().mean() < 0.002
