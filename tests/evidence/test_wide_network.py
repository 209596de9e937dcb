"""The network for unknown backgrounds: scale, missing bins, rows that sum to 1, one step that learns."""

from importlib.resources import files

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import average_precision_score

from evidence.benchmarks.wide import read_networks
from evidence.unknown.network import WideNetwork, WideOutput, cell_score, network_cells
from evidence.unknown.second_world import SecondWorld
from evidence.unknown.texture import Texture
from evidence.unknown.training import WideTraining, simulated_batch, textured_batch, train_wide, wide_loss
from nblib.cells import WIDE_CELL, cell_labels
from nblib.measured.line_free.world import WideWorld
from nblib.measured.statistic import network_inputs as network_inputs_module
from nblib.measured.statistic.network import WEIGHTS
from nblib.measured.statistic.network_inputs import CHANNELS, CLIP, network_inputs
from nblib.measured.statistic.score import add_evidence


@pytest.fixture(scope="module")
def spectrum():
    return WideWorld(seed=3, n_bins=405, gaps=False, none_share=0.0)[1]


def scores(model, row, psd, valid, n_segments):
    inputs = torch.from_numpy(network_inputs(row.freqs, psd, valid, n_segments))[None]
    present = torch.from_numpy(np.logical_or.reduceat(valid, np.arange(0, len(valid), WIDE_CELL)))[None]
    with torch.no_grad():
        output = model(inputs)
    return output, {kind: cell_score(output, kind, present)[0].numpy() for kind in ("attention", "head", "strength")}


@pytest.mark.parametrize("factor", [1e-40, 1e-3, 1e40])
@pytest.mark.parametrize("known", [True, False])
def test_a_factor_on_the_spectrum_changes_nothing(spectrum, factor, known):
    n_segments = spectrum.n_segments if known else None
    first, second = (
        network_inputs(spectrum.freqs, psd, spectrum.valid, n_segments) for psd in (spectrum.psd, spectrum.psd * factor)
    )
    assert first.shape == (CHANNELS, 405)
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_filters_are_scipys_gaussians_of_unit_variance():
    residual = np.random.default_rng(0).normal(size=700)
    residual[350] = 100.0  # is cut off at CLIP
    widths = (2.0, 20.0, 60.0)
    for width, response in zip(widths, network_inputs_module._responses(residual, widths), strict=True):
        plain = gaussian_filter1d(np.clip(residual, -CLIP, CLIP), width, mode="nearest", truncate=3)
        np.testing.assert_allclose(response, plain * np.sqrt(2 * width * np.sqrt(np.pi)), atol=1e-9)


def test_an_unknown_k_is_measured_and_lines_do_not_inflate_it():
    row = WideWorld(seed=9, n_bins=1200, gaps=False, none_share=1.0, n_segments=50, estimator="welch", grid="linear")[0]
    lines = np.where(np.arange(1200) % 12 == 0, 1e3, 1.0)
    for psd in (row.psd, row.psd * lines):
        told, measured = (network_inputs(row.freqs, psd, row.valid, k)[9] for k in (row.n_segments, None))
        assert np.abs(4 * (measured - told)).max() < np.log(2.0)  # channel: a quarter of ln K


def test_missing_bins_are_nan_and_their_values_do_not_matter(spectrum):
    torch.manual_seed(0)
    model, valid = WideNetwork().eval(), spectrum.valid.copy()
    valid[100:160] = False
    first, second = (
        scores(model, spectrum, np.where(valid, spectrum.psd, filler), valid, spectrum.n_segments)
        for filler in (np.nan, 1e9)
    )
    rows = first[0].cls_attn[0]
    torch.testing.assert_close(rows.sum(dim=-1), torch.ones(len(rows)))
    assert (rows[:, 10:16] == 0).all()
    for kind, cells in first[1].items():
        np.testing.assert_array_equal(np.isnan(cells), (np.arange(41) >= 10) & (np.arange(41) < 16))
        np.testing.assert_array_equal(cells, second[1][kind])


def test_padding_changes_nothing(spectrum):
    torch.manual_seed(0)
    model = WideNetwork().eval()
    inputs = torch.from_numpy(network_inputs(spectrum.freqs, spectrum.psd, spectrum.valid, spectrum.n_segments))[None]
    alone, padded = model(inputs), model(torch.nn.functional.pad(inputs, (0, 200)))
    torch.testing.assert_close(padded.logit[:, :41], alone.logit, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(padded.cls_attn[..., :41], alone.cls_attn, atol=1e-5, rtol=1e-3)


def test_weights_fit_into_two_megabytes():
    assert sum(value.numel() for value in WideNetwork().parameters()) * 4 < 2_000_000


def test_too_few_bins_and_unknown_scores_are_named(spectrum):
    valid = np.zeros(405, dtype=bool)
    with pytest.raises(ValueError, match="0 measured bins"):
        network_inputs(spectrum.freqs, spectrum.psd, valid)
    with pytest.raises(ValueError, match="unknown score 'mean'"):
        scored = WideOutput(torch.ones(1, 4, 3), torch.ones(1, 3), torch.ones(1, 3))
        cell_score(scored, "mean", torch.ones(1, 3, dtype=torch.bool))


@pytest.mark.slow
def test_a_cut_run_goes_on_as_if_nothing_had_been_and_a_worker_changes_nothing(tmp_path):
    """Planted bug: the loader began at step 0 again; weights differed by 0.005."""

    def cut(_):
        raise KeyboardInterrupt

    config = WideTraining(steps=6, sizes=(300, 320), batch_size=4, validate_every=3)
    folders = [tmp_path / name for name in ("whole", "cut")]
    for folder in folders:
        folder.mkdir()
    whole = train_wide(config, folders[0])
    with pytest.raises(KeyboardInterrupt):
        train_wide(config, folders[1], log=cut)
    gone_on = train_wide(config, folders[1], n_workers=1)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, gone_on.state_dict()[name])


@pytest.mark.slow
def test_a_few_steps_learn_the_batch():
    batch = simulated_batch(WideWorld(0, "train", sizes=(300, 320)), 0, 4)
    torch.manual_seed(0)
    model = WideNetwork()
    before = wide_loss(model(batch["inputs"]), batch, WideTraining())[0].item()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(30):
        loss = wide_loss(model(batch["inputs"]), batch, WideTraining())[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7 * before


def test_copies_of_measured_spectra_label_only_what_is_known(tmp_path):
    rng = np.random.default_rng(0)
    trusted = np.repeat(np.arange(80) % 4 > 0, WIDE_CELL)
    texture = Texture("one", np.log(rng.gamma(20, 1 / 20, 800)), 20, trusted)
    batches = [textured_batch([[texture]], 0, step, 8, (300, 900)) for step in range(4)]
    assert any(batch["noisy"].any() for batch in batches)
    for batch in batches:
        assert (batch["noisy"] <= batch["known"]).all() and not batch["known"].all()
    with pytest.raises(ValueError, match="texture_share=0.5 needs measured spectra"):
        train_wide(WideTraining(texture_share=0.5), tmp_path)
    with pytest.raises(ValueError, match="config.start='simulated' and start=None must both be given"):
        train_wide(WideTraining(start="simulated"), tmp_path)


@pytest.mark.slow
def test_the_shipped_network_finds_noise_on_unknown_backgrounds():
    """On spectra of the second generator, which it was not trained on; chance is the prevalence, 0.1."""
    weights = files("nblib.measured.statistic") / WEIGHTS
    model, world = read_networks([f"shipped={weights}"])["shipped"], SecondWorld(7, sizes=(300, 900))
    rows = [world[index] for index in range(40)]
    truth = np.concatenate([cell_labels(row.noisy, WIDE_CELL) for row in rows])
    for kind in ("attention", "head"):
        cells = [network_cells(model, row.freqs, row.psd, row.valid, row.n_segments)[kind] for row in rows]
        assert average_precision_score(truth, np.concatenate(cells)) > max(0.5, 3 * truth.mean())


def test_evidence_of_the_network_is_bounded():
    log_p, log_odds = np.array([1.0, 5.0, 2.0]), np.array([50.0, 0.0, -50.0])
    np.testing.assert_allclose(add_evidence(log_p, log_odds, 2.0), [3.5, 5.0, -4.0])


@pytest.mark.parametrize("attends", [True, False])
def test_only_attention_sees_the_whole_spectrum(attends):
    """The network of convolutions sees 37 tokens to either side of the stem's tokens, and no token further off."""
    torch.manual_seed(0)
    model = WideNetwork(attends=attends).eval()
    inputs = torch.randn(1, CHANNELS, 1200)
    inputs[:, -1] = 1
    changed = inputs.clone()
    changed[:, :-1, 600:610] += 3.0
    with torch.no_grad():
        moved = (model(inputs).logit - model(changed).logit)[0].abs() > 1e-7
    far = torch.arange(120).sub(60).abs() > 38  # the stem reaches into one more token
    assert moved[~far].sum() > 60
    assert bool(moved[far].any()) == attends


def test_the_network_of_convolutions_has_the_same_size_and_no_attention(spectrum, tmp_path):
    sizes = [sum(value.numel() for value in WideNetwork(attends=attends).parameters()) for attends in (True, False)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.003)
    config = WideTraining(steps=3, sizes=(300, 320), batch_size=4, attends=False)
    model = train_wide(config, tmp_path)
    cells = network_cells(model, spectrum.freqs, spectrum.psd, spectrum.valid, spectrum.n_segments)
    assert set(cells) == {"head", "strength"}
    batch = simulated_batch(WideWorld(0, "train", sizes=(300, 320)), 0, 4)
    output = model(batch["inputs"])
    loss, terms = wide_loss(output, batch, config)
    assert loss.item() == pytest.approx(terms["head"] + config.strength_weight * terms["strength"])
    with pytest.raises(ValueError, match="has no attention; use 'head' or 'strength'"):
        cell_score(output, "attention", torch.ones(output.logit.shape, dtype=torch.bool))
