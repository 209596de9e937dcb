"""Scores on cells: pooling, the attention score, filters against direct sums, and a calibrated posterior."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from nblib import NoiseBERTDataset
from nblib.cells import cell_labels, cell_scores, intervals_max
from nblib.dataset import to_log_psd
from nblib.scoring.attention_score import attention_score
from nblib.scoring.filters import matched_filter, running_median
from nblib.scoring.likelihood import line_posterior

RNG_SEED = 11


@pytest.fixture(scope="module")
def lines():
    """200 test spectra with single lines: ln x - ln S, ln x, truth per cell."""
    data = NoiseBERTDataset(split="test")
    batch = data.batch(range(200))
    log_psd, background = (to_log_psd(batch[name]) for name in ("target", "background"))
    return log_psd - background, log_psd, cell_labels(batch["noisy"].numpy())


@pytest.fixture(scope="module")
def posterior(lines):
    return line_posterior(lines[0])


@pytest.mark.parametrize("n_bins", [3000, 405])
def test_pooling_against_a_loop(n_bins):
    """Planted bug: intervals cut at cell borders, which lost the cell that two intervals share."""
    values = np.random.default_rng(RNG_SEED).random((2, n_bins))
    cells = cell_scores(values)
    assert cells.shape == (2, -(-n_bins // 20))
    for cell in range(cells.shape[1]):
        np.testing.assert_array_equal(cells[:, cell], values[:, 20 * cell : 20 * cell + 20].max(axis=1))
    np.testing.assert_array_equal(cell_labels(values > 0.9), cells > 0.9)
    intervals = intervals_max(cells, n_bins)
    for number in range(30):
        first, last = number * n_bins // 30, (number + 1) * n_bins // 30
        overlapping = {bin_index // 20 for bin_index in range(first, last)}
        np.testing.assert_array_equal(intervals[:, number], cells[:, sorted(overlapping)].max(axis=1))


@pytest.mark.parametrize(("n_bins", "patch_size"), [(3000, 1), (3000, 20), (3000, 10), (405, 20), (405, 5)])
def test_even_attention_scores_zero_and_half_of_it_ln_2(n_bins, patch_size):
    """Planted bug: the logarithm taken before the heads are averaged."""
    n_tokens = -(-n_bins // patch_size)
    per_token = np.full(n_tokens, float(patch_size))
    per_token[-1] = n_bins - patch_size * (n_tokens - 1)
    even = np.tile(per_token / n_bins, (1, 3, 1))
    np.testing.assert_allclose(attention_score(even, n_bins)[0, :-1], 0, atol=0.06 if n_bins % patch_size else 1e-9)
    halved = even.copy()
    first_cell = slice(0, max(20 // patch_size, 1))
    halved[0, 0, first_cell] *= 0
    halved[0, 1, first_cell] *= 0.5
    gain = attention_score(halved, n_bins)[0, 0] - attention_score(even, n_bins)[0, 0]
    assert gain == pytest.approx(np.log(2))


def test_no_attention_at_all_is_a_finite_score():
    rows = np.zeros((1, 2, 150))
    rows[..., 0] = 1
    assert np.isfinite(attention_score(rows, 3000)).all()


def test_matched_filter_is_a_normalised_sum():
    """Planted bug: the response divided by the template's sum instead of the root of its power."""
    residual = np.random.default_rng(RNG_SEED).normal(0, 0.1, (1, 300))
    response = matched_filter(np.log1p(residual), widths=(4,), n_segments=8)
    offsets = np.arange(-16, 17)
    template = np.exp(-0.5 * (offsets / 4) ** 2)
    for centre in (3, 150, 290):
        inside = (centre + offsets >= 0) & (centre + offsets < 300)
        values, weights = residual[0, centre + offsets[inside]], template[inside]
        expected = np.sqrt(8) * (weights @ values) / np.sqrt(weights @ weights)
        assert response[0, centre] == pytest.approx(expected, rel=1e-9)


def test_matched_filter_has_unit_variance_and_finds_a_line_at_its_strength():
    rng, n_segments = np.random.default_rng(RNG_SEED), 8
    gamma = rng.gamma(n_segments, 1 / n_segments, (50, 3000))
    assert matched_filter(np.log(gamma), (8,), n_segments)[:, 50:-50].std() == pytest.approx(1, abs=0.02)
    template = np.exp(-0.5 * ((np.arange(3000) - 1200) / 8) ** 2)
    response = matched_filter(np.log1p(template)[None], (3, 8, 20), n_segments)[0]
    assert response.argmax() == 1200
    assert response.max() == pytest.approx(np.sqrt(n_segments * (template**2).sum()), rel=1e-3)


def test_running_median_is_free_of_the_medians_bias():
    """Planted bug: the median of a Gamma variable taken for its mean (0.042 in ln at K = 8)."""
    rng = np.random.default_rng(RNG_SEED)
    log_psd = np.log(rng.gamma(8, 1 / 8, (20, 3000))) - 50
    assert (running_median(log_psd, 101) + 50).mean() == pytest.approx(0, abs=0.01)
    for window in (100, 1):
        with pytest.raises(ValueError, match=f"window={window} must be an odd number"):
            running_median(log_psd, window)


def test_a_running_median_removes_a_line_narrower_than_half_its_window():
    log_psd = np.zeros((1, 600))
    log_psd[0, 300:320] = 3
    assert np.ptp(running_median(log_psd, 101)) == 0


@pytest.mark.slow
def test_the_posterior_is_calibrated(lines, posterior):
    """Of the cells given probability p, a share p is noisy. Planted bug: the prior of no line left out."""
    truth, probability = lines[2], posterior
    assert probability.min() >= 0
    assert probability.max() <= 1
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)):
        chosen = (probability > low) & (probability <= high)
        expected, observed = probability[chosen].mean(), truth[chosen].mean()
        assert observed == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / chosen.sum()))
    assert probability.mean() == pytest.approx(truth.mean(), rel=0.05)


def test_the_posterior_knows_no_direction(lines):
    ratio = lines[0][:5]
    np.testing.assert_allclose(line_posterior(ratio[:, ::-1])[:, ::-1], line_posterior(ratio), atol=1e-5)


def test_every_spectrum_may_have_its_own_number_of_averages(lines):
    """Planted bug: the first spectrum's K for all."""
    ratio, segments = lines[0][:3], np.array([2.0, 8.0, 32.0])
    apart = [line_posterior(row[None], k)[0] for row, k in zip(ratio, segments, strict=True)]
    np.testing.assert_allclose(line_posterior(ratio, segments[:, None]), apart, atol=1e-9)


@pytest.mark.slow
def test_knowing_more_detects_more(lines, posterior):
    ratio, log_psd, truth = lines
    scores = {
        "posterior": posterior,
        "true background": cell_scores(matched_filter(ratio, (3, 5, 8, 12, 18, 26, 36))),
        "running median": cell_scores(
            matched_filter(log_psd - running_median(log_psd, 301), (3, 5, 8, 12, 18, 26, 36))
        ),
    }
    posterior, true, median = (average_precision_score(truth.ravel(), score.ravel()) for score in scores.values())
    assert 0.99 < posterior < 1
    assert posterior > true + 0.02 > median + 0.04
