"""External noise families on any axis, and the label."""

import numpy as np
import pytest

from nblib.cells import CELL_WIDTH, N_INTERVALS, NOISY_RATIO, clean_cells, noise_interval, pool_bins
from nblib.simulation.noise import FAMILIES, check_family, draw_external

PUBLISHED = np.arange(1.0, 3001.0)
GRIDS = {"published": PUBLISHED, "logarithmic": np.geomspace(1, 3000, 900), "coarse": np.arange(5.0, 3005.0, 5.0)}
NAMES = [name for name in FAMILIES if name != "none"]


def draws(name, freqs=PUBLISHED, n_draws=40, **options):
    return [draw_external(np.random.default_rng([7, number]), freqs, name, **options) for number in range(n_draws)]


def peaks(ratio, freqs):
    """Frequencies of local maxima above the truth's threshold."""
    inner = (ratio[1:-1] > ratio[:-2]) & (ratio[1:-1] >= ratio[2:]) & (ratio[1:-1] > NOISY_RATIO)
    return freqs[1:-1][inner]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_family_is_noise_on_every_axis(name, grid):
    freqs = GRIDS[grid]
    ratios = np.stack(draws(name, freqs))
    assert np.isfinite(ratios).all()
    assert (ratios >= 0).all()
    assert (ratios.max(axis=1) > NOISY_RATIO).mean() > 0.9
    assert min(clean_cells(ratio > NOISY_RATIO) for ratio in ratios) >= 0.3
    np.testing.assert_array_equal(ratios[5], draw_external(np.random.default_rng([7, 5]), freqs, name))


def test_none_is_none():
    assert not np.any(draws("none"))


def test_a_single_line_is_a_gaussian_of_the_documented_widths_and_heights():
    """Planted bug: sigma drawn as a full width at half maximum."""
    for ratio in draws("single_line", n_draws=60):
        centre, height = PUBLISHED[ratio.argmax()], ratio.max()
        inside = ratio > 0.6 * height
        sigma = (np.sum(inside)) / (2 * np.sqrt(2 * np.log(1 / 0.6)))
        if 120 < centre < 2880:
            assert 0.47 < height <= 3
            assert 2 <= sigma <= 37


def test_mains_and_its_harmonics_stand_on_their_frequencies():
    """Planted bug: lines injected on a 0..15000 Hz axis, as in the starting study."""
    for ratio in draws("power_supply"):
        lines = peaks(ratio, PUBLISHED)
        mains = 50 if abs(lines[0] - 50) < abs(lines[0] - 60) else 60
        low = lines[lines < 10 * mains]
        assert len(low) >= 3
        assert np.abs(low / mains - np.round(low / mains)).max() * mains <= 1
        assert ((lines > 1500) & (lines < 2500)).any()


def test_vibration_stays_below_500_hz_and_interference_is_narrow():
    assert max(PUBLISHED[ratio.argmax()] for ratio in draws("vibration")) <= 501
    for ratio in draws("interference"):
        assert 1 <= (ratio > ratio.max() / 2).sum() <= 7


def test_a_clock_is_a_comb():
    for ratio in draws("clock_leakage"):
        gaps = np.diff(peaks(ratio, PUBLISHED))
        assert np.ptp(gaps) <= 2 if len(gaps) else True
        assert (gaps >= 148).all()


@pytest.mark.parametrize("name", NAMES)
def test_amplitude_scales_a_family(name):
    weak, strong = (draws(name, amplitude=(level, level)) for level in (0.3, 0.6))
    np.testing.assert_allclose(2 * np.stack(weak), np.stack(strong), atol=1e-12)


def test_unknown_families_and_hopeless_amplitudes_are_refused():
    with pytest.raises(ValueError, match="unknown noise family 'thunder'; known: none, single_line"):
        check_family("thunder")
    with pytest.raises(ValueError, match=r"100 draws of 'single_line'.*smaller amplitude or a wider grid"):
        draw_external(np.random.default_rng(0), np.linspace(1000, 1010, 40), "single_line", (1e6, 1e6))


def test_cells_count_whole_cells_only():
    noisy = np.zeros(5 * CELL_WIDTH + 3, bool)
    noisy[[0, 1, 45, -1]] = True
    assert clean_cells(noisy) == pytest.approx(3 / 5)


@pytest.mark.parametrize("n_bins", [3000, 405, 30])
def test_the_label_is_where_most_noise_is(n_bins):
    """Planted bug: the strongest single bin instead of the most power; also a random label where there is no noise."""
    ratio = np.zeros((N_INTERVALS + 2, n_bins))
    for interval in range(N_INTERVALS):
        ratio[interval, -(-interval * n_bins // N_INTERVALS)] = 1.0
    ratio[-1] = NOISY_RATIO  # not above it
    labels = noise_interval(ratio)
    assert set(labels[:N_INTERVALS]) == set(range(N_INTERVALS))
    assert labels[-2:].tolist() == [-1, -1]
    if n_bins == 3000:
        ratio[0], ratio[0, 1500:1600], ratio[0, 2990] = 0, 0.5, 3.0
        assert noise_interval(ratio)[0] == 15


def test_pooling_against_a_loop():
    values = np.random.default_rng(0).random((2, 47))
    pooled = pool_bins(values, 5, np.add)
    edges = [0, 9, 18, 28, 37, 47]
    for group, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        np.testing.assert_allclose(pooled[:, group], values[:, first:last].sum(axis=1))


# ---- estimation noise ----


def test_shapes_have_any_width_and_one_in_three_is_a_comb():
    """Planted bug: widths uniform instead of log-uniform, so that narrow ones hardly occur."""
    freqs = np.arange(1.0, 3001.0)
    ratios = np.array([draw_external(np.random.default_rng([i]), freqs, "shapes") for i in range(300)])
    edges = np.diff((ratios > NOISY_RATIO).astype(int), axis=1, prepend=0, append=0)
    n_runs = (edges == 1).sum(axis=1)
    lengths = [
        end - start for row in edges for start, end in zip(*map(np.flatnonzero, (row == 1, row == -1)), strict=True)
    ]
    assert (ratios >= 0).all()
    assert min(lengths) <= 3
    assert np.quantile(lengths, 0.3) < 20
    assert max(lengths) > 300
    assert 0.1 < (n_runs > 6).mean() < 0.4
