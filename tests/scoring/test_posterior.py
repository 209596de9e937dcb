"""The posterior that knows no family: calibrated, blind to an offset, and the same for bins as for blocks."""

import pytest
import torch

from nblib import NoiseBERTDataset
from nblib.cells import cell_labels
from nblib.scoring.posterior import line_log_odds, noise_probability
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
    places = torch.arange(3000.0)
    ratio = torch.zeros(1, 3000, dtype=torch.float64)
    for centre, height in ((700, 50.0), (2200, 1.0)):
        ratio += torch.log1p(height * torch.exp(-0.5 * ((places - centre) / 20) ** 2)).double()
    odds = line_log_odds(ratio)
    assert odds.isfinite().all()
    assert odds[0, 35] > 3
    assert odds[0, 110] > 3
    assert odds[0, 75] < 0
