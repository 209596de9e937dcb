"""The posterior that knows no family: calibrated, blind to an offset, and the same for bins as for blocks."""

import numpy as np
import pytest
import torch

from nblib import NoiseBERTDataset
from nblib.cells import cell_labels
from nblib.scoring.posterior import correlate, line_log_odds, noise_probability, segments_measured, token_odds
from nblib.simulation.physics import LN_STD

N_SPECTRA = 60


@pytest.fixture(scope="module")
def lines():
    """ln x - ln S of simulated spectra with single lines, the true S, and the cells that hold a noisy bin."""
    data = NoiseBERTDataset(split="validation", n_spectra=N_SPECTRA)
    batch = data.batch(range(N_SPECTRA))
    ratio = (batch["target"] - batch["background"]).double() * LN_STD
    return ratio, torch.from_numpy(cell_labels(batch["noisy"].numpy()))


def test_noisy_cells_are_probable_and_clean_ones_are_not(lines):
    """Planted bug: the expected number of lines counted per bin instead of per spectrum."""
    ratio, noisy = lines
    probability = noise_probability(ratio)
    assert probability.shape == noisy.shape
    assert probability[noisy].mean() > 0.88
    assert probability[~noisy].mean() < 0.005
    claimed = probability > 0.5
    assert float(probability[claimed].mean()) == pytest.approx(float(noisy[claimed].double().mean()), abs=0.06)


def test_an_offset_of_the_background_does_not_matter(lines):
    """Planted bug: the median not taken out."""
    ratio, _ = lines
    torch.testing.assert_close(noise_probability(ratio + 0.7), noise_probability(ratio), rtol=0, atol=0.02)
    assert noise_probability(ratio + 0.7, centred=False).mean() > 0.2


@pytest.mark.slow
def test_a_block_is_about_as_probable_as_the_most_probable_of_its_bins(lines):
    ratio, _ = lines
    cells, bins = noise_probability(ratio), noise_probability(ratio, block=1)
    most = bins.unflatten(1, (-1, 20)).amax(dim=2)
    assert (cells > most - 0.05).double().mean() > 0.995
    assert (cells - most).mean().abs() < 0.01


def test_noise_alone_is_no_line():
    gamma = torch.distributions.Gamma(torch.full((200, 1000), 8.0, dtype=torch.float64), torch.tensor(8.0).double())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ratio = gamma.sample().log()
    assert noise_probability(ratio).mean() < 0.01


def test_very_strong_lines_stay_finite_and_two_lines_are_found():
    """Planted bugs: likelihood ratios in float32, which overflow; windows taken from a running sum, in which the strong
    line swallows the weak one behind it.
    """
    positions = torch.arange(3000.0)
    ratio = torch.zeros(1, 3000, dtype=torch.float64)
    for centre, height in ((700, 50.0), (2200, 1.0)):
        ratio += torch.log1p(height * torch.exp(-0.5 * ((positions - centre) / 20) ** 2)).double()
    odds = line_log_odds(ratio)
    assert odds.isfinite().all()
    assert odds[0, 35] > 3
    assert odds[0, 110] > 3
    assert odds[0, 75] < 0


def test_a_banded_product_is_torchs_convolution():
    """Planted bugs: the band turned round; a last block that is not full left out."""
    generator = torch.Generator().manual_seed(0)
    rows, kernels = torch.randn(3, 71, generator=generator), torch.randn(2, 9, generator=generator)
    expected = torch.nn.functional.conv1d(rows[:, None], kernels[:, None], padding=4)
    torch.testing.assert_close(correlate(rows, kernels), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_segments", [2.0, 8.0, 64.0])
def test_k_is_measured_beside_lines_and_missing_bins(n_segments):
    """Planted bug: the spread of both sides, which lines widen."""
    rng = np.random.default_rng(0)
    ratio = np.log(rng.gamma(n_segments, 1 / n_segments, (20, 3000)))
    ratio[:, 100:300] += 1.0
    ratio[:, 500:600] = np.nan
    estimated = segments_measured(torch.from_numpy(ratio))
    assert estimated.median().item() == pytest.approx(n_segments, rel=0.1)


def test_odds_of_each_spectrum_by_its_own_k(lines):
    ratio, _ = lines
    together = line_log_odds(ratio[:2], torch.tensor([4.0, 16.0]))
    apart = torch.cat([line_log_odds(ratio[:1], 4.0), line_log_odds(ratio[1:2], 16.0)])
    torch.testing.assert_close(together, apart)


def test_small_tokens_share_the_odds_of_ten_bins(lines):
    ratio, _ = lines
    odds = token_odds(ratio[:3], 8, 5)
    assert odds.shape == (3, 600)
    assert torch.equal(odds[:, ::2], odds[:, 1::2])
    assert torch.equal(odds[:, ::2], line_log_odds(ratio[:3], 8, 10))
