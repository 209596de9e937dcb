"""What is claimed about a model: scores against hand counts and scikit-learn, restoration, and what may not leak."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from nblib import TrainConfig
from nblib.assessment import (
    MEDIAN_WINDOWS,
    assess,
    baseline_scores,
    held_out,
    in_band_error,
    masked_prediction,
    tune_window,
)
from nblib.dataset import to_log_psd
from nblib.prediction import predict, restore
from nblib.scoring.metrics import attended_tokens, bootstrap_interval, detection, top1_rate
from nblib.simulation.physics import LN_STD, published_psd
from nblib.training.loop import TrainResult

TINY = {"d_model": 16, "n_heads": 2, "num_layers": 1, "dim_feedforward": 16}


@pytest.fixture(scope="module")
def untrained():
    config = TrainConfig(**TINY)
    data = held_out(config, "single_line", 120)
    model = config.build_model(data.freqs)
    return config, data, model, predict(model, data)


def scores_and_truth(n_spectra=40, seed=0, informed=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.random((n_spectra, 150)) < 0.05
    return rng.normal(size=truth.shape) + informed * truth, truth


def test_detection_of_a_perfect_and_of_a_random_score():
    _, truth = scores_and_truth(400)
    perfect = detection(truth + 0.0, truth, 3000)
    assert (perfect["auroc"], perfect["ap"]) == (1, 1)
    random = detection(np.random.default_rng(1).random(truth.shape), truth, 3000)
    error = np.sqrt((1 / truth.sum() + 1 / (~truth).sum()) / 12)  # of an AUROC at chance
    assert random["auroc"] == pytest.approx(0.5, abs=4 * error)
    assert random["ap"] == pytest.approx(truth.mean(), abs=0.01)
    assert random["prevalence"] == truth.mean()
    empty = detection(truth + 0.0, np.zeros_like(truth), 3000)
    assert np.isnan(empty["ap"])
    assert np.isnan(empty["auroc"])
    assert np.isnan(empty["top1"])


def test_only_the_order_of_scores_matters():
    scores, truth = scores_and_truth()
    ranks = rankdata(scores).reshape(scores.shape)
    assert detection(ranks, truth, 3000) == pytest.approx(detection(scores, truth, 3000))


def test_top_1_by_hand():
    """Planted bug: spectra without noise counted as misses."""
    truth = np.zeros((5, 150), bool)
    truth[0, 12] = truth[1, 12] = truth[2, 100] = True  # interval 2, 2 and 20
    truth[3, :60] = True  # 12 intervals: too many to count; the last has none
    scores = np.zeros((5, 150))
    scores[0, 13], scores[1, 40], scores[2, 104] = 1, 1, 1
    rates = top1_rate(scores, truth, 3000)
    assert rates == {
        "top1": pytest.approx(2 / 3),
        "top1_constant": pytest.approx(2 / 3),
        "top1_random": pytest.approx(1 / 30),
        "n_top1": 3,
    }


def test_bootstrap_agrees_with_scikit_learn_on_the_same_draws():
    """Planted bug: cells drawn again instead of whole spectra."""
    scores, truth = scores_and_truth(12)
    rng = np.random.default_rng(3)
    values = []
    for _ in range(20):
        weights = np.repeat(np.bincount(rng.integers(0, 12, 12), minlength=12), 150)
        values.append(average_precision_score(truth.ravel(), scores.ravel(), sample_weight=weights))
    assert bootstrap_interval(scores, truth, 20, seed=3) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_bootstrap_narrows_with_the_root_of_the_number_of_spectra():
    widths = []
    for n_spectra in (100, 400):
        scores, truth = scores_and_truth(n_spectra, informed=2.0)
        low, high = bootstrap_interval(scores, truth, seed=0)
        assert low < detection(scores, truth, 3000)["ap"] < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.3)
    assert np.isnan(bootstrap_interval(scores, np.zeros_like(truth))).all()


def test_attended_tokens_counts():
    rows = np.zeros((2, 2, 10))
    rows[0, :, 3] = 1
    rows[1] = 0.1
    assert attended_tokens(rows[:1]) == pytest.approx(1)
    assert attended_tokens(rows[1:]) == pytest.approx(10)


@pytest.mark.slow
def test_a_reading_holds_the_data_and_the_truth(untrained):
    _, data, _, reading = untrained
    batch = data.batch(range(120))
    np.testing.assert_allclose(reading.background, np.log(published_psd(*reading.energies.astype(float).T)), atol=2e-5)
    np.testing.assert_array_equal(reading.noisy, batch["noisy"].numpy())
    assert reading.cls_attn.shape == (1, 120, 2, 150)
    np.testing.assert_allclose(reading.cls_attn.sum(axis=-1), 1, rtol=1e-5)
    assert reading.truth.shape == reading.attention().shape == reading.residual().shape == (120, 150)
    assert reading.token_freqs[0] == pytest.approx(np.exp(np.log(np.arange(1, 21)).mean()))
    assert np.array_equal(reading.noisy_tokens, reading.truth)  # tokens are cells at this patch size


def test_only_a_token_readout_is_swept():
    """A CLS readout restores in one pass with nothing hidden. Planted bug: its prediction of masked bins kept."""
    config = TrainConfig(**TINY)
    data = config.dataset("test", 4)
    model, batch = config.build_model(data.freqs).eval(), data.batch(range(4))
    reading = predict(model, data, sweep=False)
    with torch.no_grad():
        out = model(batch["target"], torch.zeros_like(batch["mask"]))[0].numpy()
    whole = to_log_psd(out - data.log_bias)
    np.testing.assert_allclose(reading.restored, whole, atol=1e-5)
    token = TrainConfig(**TINY | {"readout": "token"})
    assert np.isnan(predict(token.build_model(data.freqs), data, sweep=False).restored).all()
    assert np.isfinite(predict(token.build_model(data.freqs), data).restored).all()


def test_every_bin_is_restored_while_it_is_hidden():
    """Planted bug: the bins that were seen kept instead of the hidden ones."""
    config = TrainConfig(**TINY | {"readout": "token"})
    data = config.dataset("test", 2)
    model, batch = config.build_model(data.freqs).eval(), data.batch(range(2))
    before = restore(model, batch, data.mask_width)
    for block in (0, 4, 149):
        inside = slice(20 * block, 20 * block + 20)
        changed = batch | {"target": batch["target"].clone()}
        changed["target"][:, inside] += 5.0
        after = restore(model, changed, data.mask_width)
        torch.testing.assert_close(after[:, inside], before[:, inside], rtol=0, atol=0)
        assert not torch.equal(after, before)


def test_predictions_of_the_mean_logarithm_are_corrected_and_others_are_not(untrained):
    """A squared error aims at E[ln x], a Whittle deviance at ln E[x]. Planted bug: both corrected."""
    config, data, model, reading = untrained
    model.masked_error = "whittle"
    whittle = predict(model, data)
    model.masked_error = "squared"
    shift = data.log_bias[0] * LN_STD
    np.testing.assert_allclose(reading.filled - whittle.filled, -shift, atol=1e-5)
    np.testing.assert_allclose(reading.restored - whittle.restored, -shift, atol=1e-5)


def test_errors_by_hand(untrained):
    _, data, _, reading = untrained
    bins = np.zeros_like(reading.noisy)
    bins[0, 100] = bins[3, 200] = True
    error = in_band_error(reading, bins)
    before = np.abs(reading.log_psd - reading.background)[bins]
    after = np.abs(reading.restored - reading.background)[bins]
    left_out = error.pop("after_left_out")
    assert len(left_out) == 20
    assert left_out[0] == pytest.approx(after[1])  # without spectrum 0
    assert error == pytest.approx(
        {"before": before.mean(), "after": after.mean(), "reduction": 1 - after.mean() / before.mean()}
    )
    assert np.isnan(in_band_error(reading, bins & ~bins)["after"])
    masked = masked_prediction(reading, data)
    assert masked["floor"] == pytest.approx(0.1331, abs=1e-4)
    deviations = (reading.filled - reading.background)[reading.masked]
    assert masked["background_rms"] == pytest.approx(np.sqrt((deviations**2).mean()))
    bias = data.log_bias[0] * LN_STD
    assert masked["mse"] == pytest.approx(((reading.filled + bias - reading.log_psd)[reading.masked] ** 2).mean())


def test_held_out_spectra_are_the_same_for_every_model():
    """Planted bug: the test drawn with the training's seed and amplitude."""
    one = held_out(TrainConfig(**TINY), "vibration", 8)
    other = held_out(TrainConfig(**TINY, seed=5, amplitude=(1.0, 9.0), families=("interference",)), "vibration", 8)
    torch.testing.assert_close(one.batch(range(8))["target"], other.batch(range(8))["target"], rtol=0, atol=0)
    validation = held_out(TrainConfig(**TINY), "vibration", 8, "validation")
    assert not set(validation.sources) & set(one.sources)


@pytest.mark.slow
def test_references_tune_on_validation_and_end_at_the_posterior(untrained):
    config, _, model, reading = untrained
    tuning = predict(model, held_out(config, "single_line", 60, "validation"), sweep=False)
    scores, window = baseline_scores(reading, tuning, "single_line")
    assert list(scores) == ["running median", "running median, all widths", "true background", "posterior (limit)"]
    assert window == tune_window(tuning, (3, 5, 8, 12, 18, 26, 36))
    assert window in MEDIAN_WINDOWS
    precisions = {name: detection(values, reading.truth, 3000)["ap"] for name, values in scores.items()}
    assert precisions["running median"] < precisions["true background"] < precisions["posterior (limit)"]
    assert "posterior (limit)" not in baseline_scores(reading, tuning, "interference")[0]


@pytest.mark.slow
def test_an_assessment_has_its_control(untrained):
    """The control scores the bins of the lines on the same spectra without them: same scatter elsewhere."""
    config, _, model, _ = untrained
    result = TrainResult(config, model, {}, Path(), {})
    reading, metrics = assess(result, "single_line", 30)
    control = predict(model, held_out(config, "none", 30))
    elsewhere = np.abs(reading.log_psd - control.log_psd) < 1e-5
    assert elsewhere.mean() > 0.8
    assert metrics["no_line"]["after"] == in_band_error(control, reading.noisy)["after"]
    assert metrics["no_line"]["before"] < metrics["in_band"]["before"]
