"""The shipped network without torch: the same numbers as its torch twin, and the sum that the detector uses."""

from importlib.resources import files

import numpy as np
import pytest
import torch

from evidence.benchmarks.wide import read_networks
from nblib.cells import WIDE_CELL
from nblib.measured.statistic import network as evidence
from nblib.measured.statistic.network import forward, network_evidence, relative_attention
from nblib.measured.statistic.network_inputs import network_inputs
from nblib.measured.statistic.score import EVIDENCE_LIMITS, EVIDENCE_WEIGHT, score_spectrum
from nblib.measured.statistic.whitening import Plan


def _spectrum(n_bins, seed=0, n_segments=16):
    freqs = np.arange(1.0, n_bins + 1)
    psd = np.random.default_rng(seed).gamma(n_segments, 1 / n_segments, n_bins) / freqs
    psd[n_bins // 2] *= 20
    return freqs, psd, np.ones(n_bins, dtype=bool)


@pytest.mark.parametrize("n_bins", [405, 1200])
def test_it_is_the_network_that_was_trained(n_bins):
    """Planted bug: four heads in the layers instead of two; logits were off by 0.4."""
    freqs, psd, valid = _spectrum(n_bins)
    valid[50:80] = False
    inputs = network_inputs(freqs, np.where(valid, psd, np.nan), valid, 16)
    with torch.no_grad():
        weights = files("nblib.measured.statistic") / evidence.WEIGHTS
        expected = read_networks([f"shipped={weights}"])["shipped"](torch.from_numpy(inputs)[None])
    rows, logit, strength = forward(inputs)
    np.testing.assert_allclose(rows, expected.cls_attn[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(logit, expected.logit[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(strength, expected.strength[0].numpy(), atol=2e-5)
    assert (rows[:, 5:8] == 0).all()


def test_the_activation_is_exact_to_single_precision():
    x = np.concatenate([np.linspace(-12, 12, 4001), [-1e30, 1e30]]).astype(np.float32)
    expected = torch.nn.functional.gelu(torch.from_numpy(x.astype(np.float64))).numpy()
    assert np.abs(evidence._gelu(x)[:-2] - expected[:-2]).max() < 2e-6
    np.testing.assert_allclose(evidence._gelu(x)[-2:], [0, np.float32(1e30)], atol=1e-6)


def test_blocks_of_queries_change_nothing(monkeypatch):
    inputs = network_inputs(*_spectrum(1200), 16)
    whole = forward(inputs)
    monkeypatch.setattr(evidence, "QUERIES", 7)
    for first, second in zip(whole, forward(inputs), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_missing_cells_are_nan_and_attention_is_one_on_clean_cells():
    freqs, psd, valid = _spectrum(600)
    valid[100:125] = False
    evidence = network_evidence(freqs, np.where(valid, psd, np.nan), valid, 16)
    missing = np.isin(np.arange(60), (10, 11))
    np.testing.assert_array_equal(np.isnan(evidence.attention), missing)
    np.testing.assert_array_equal(np.isnan(evidence.log_odds), missing)
    assert np.nanquantile(evidence.attention, 0.75) == pytest.approx(1.0, abs=1e-6)
    assert evidence.attention[30] < 0.5 and evidence.log_odds[30] > 1  # the line is there


def test_attention_of_a_cell_does_not_hang_on_how_much_else_is_noise():
    """Planted bug: attention over the row's mean; the doubtful cell went from 0.51 to 0.84."""
    few, much = np.ones((2, 40)), np.ones((2, 40))
    for row in (few, much):
        row[:, 7] = 0.5  # one doubtful cell
    much[:, 10:25] = 1e-3
    present = np.arange(40) < 38
    attention = [
        relative_attention(row * present / (row * present).sum(axis=1, keepdims=True), present) for row in (few, much)
    ]
    assert attention[0][7] == pytest.approx(0.5) and attention[1][7] == pytest.approx(0.5)
    assert np.isnan(attention[0][38:]).all()


def test_evidence_of_a_cell_is_added_to_its_bins_and_bounded():
    freqs, psd, valid = _spectrum(600)
    scored = score_spectrum(psd, Plan.of(freqs, valid), 16)
    bounded = np.clip(scored.log_odds, *EVIDENCE_LIMITS)
    expected = np.repeat(EVIDENCE_WEIGHT * bounded[:, None], WIDE_CELL, axis=1)
    for after, before in zip(scored.by_group, scored.white.by_group, strict=True):
        added = (after - before).reshape(-1, WIDE_CELL)
        np.testing.assert_allclose(added, expected, atol=1e-9)
        assert scored.combined
        assert EVIDENCE_WEIGHT * EVIDENCE_LIMITS[0] - 1e-9 <= added.min()
        assert added.max() <= EVIDENCE_WEIGHT * EVIDENCE_LIMITS[1] + 1e-9


@pytest.mark.parametrize(("n_bins", "n_segments", "asked"), [(299, 16, False), (300, 16, True), (400, 2, False)])
def test_the_network_is_asked_only_about_spectra_it_knows(n_bins, n_segments, asked):
    freqs, psd, valid = _spectrum(n_bins, n_segments=n_segments)
    scored = score_spectrum(psd, Plan.of(freqs, valid), n_segments)
    assert scored.combined == asked
    assert np.isnan(scored.attention).all() == (not asked)
    if not asked:
        np.testing.assert_array_equal(scored.scores, scored.white.scores)
