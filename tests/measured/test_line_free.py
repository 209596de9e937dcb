"""The wide world: keyed draws, statistics of its estimators, coherent lines, grids and gaps."""

import numpy as np
import pytest
from scipy.signal import welch
from scipy.stats import kstest, ncx2

from nblib.cells import NOISY_RATIO, WIDE_CELL, cell_labels, cell_scores
from nblib.measured.line_free.backgrounds import GRID_SHARES, HIGHEST, LOWEST, Grid, draw_background, draw_grid
from nblib.measured.line_free.disturbances import (
    SHAPES,
    External,
    draw_estimate,
    effective_segments,
    expected_ratio,
    hann_correlation,
    shape,
)
from nblib.measured.line_free.world import BLOCK, WideWorld

NOTHING = np.zeros(0)


def plain_grid(n_bins, merged=1):
    return Grid(np.arange(1.0, n_bins + 1), "linear", np.full(n_bins, merged), np.zeros(n_bins, dtype=int))


def estimates(n_draws, n_bins, n_segments, estimator, external=None, merged=1):
    external = external or External(np.zeros(n_bins), NOTHING, NOTHING)
    rng = np.random.default_rng(3)
    grid, averages = plain_grid(n_bins, merged), np.full(n_bins, float(n_segments))
    return np.stack([draw_estimate(rng, grid, external, averages, estimator) for _ in range(n_draws)])


# ---- keyed draws ----


def test_a_spectrum_is_the_same_in_any_batch():
    world = WideWorld(seed=5, sizes=(300, 400))
    alone = world[17]
    together = world.batch([3, 17, 30])
    n_bins = len(alone.freqs)
    for name in ("freqs", "psd", "log_background", "ratio", "noisy", "valid", "n_segments"):
        np.testing.assert_array_equal(together[name][1, :n_bins], getattr(alone, name))
    assert not together["valid"][1, n_bins:].any()
    assert together["estimator"][1] == alone.estimator


@pytest.mark.parametrize("change", [{"seed": 6}, {"split": "test"}])
def test_another_key_gives_another_spectrum(change):
    first, second = (WideWorld(**({"seed": 5, "n_bins": 300} | changed))[4] for changed in ({}, change))
    assert not np.array_equal(first.log_background, second.log_background)


def test_a_block_of_indices_shares_its_number_of_bins():
    world = WideWorld(seed=1)
    sizes = [world.size_of(index) for index in range(3 * BLOCK)]
    assert len(set(sizes[:BLOCK])) == 1 and len(set(sizes)) > 1
    assert min(sizes) >= 300 and max(sizes) <= 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "all"}, "unknown split 'all'"),
        ({"seed": -1}, "seed=-1"),
        ({"estimator": "hann"}, "unknown estimator 'hann'"),
        ({"none_share": 1.5}, "none_share=1.5"),
        ({"n_bins": 20}, "n_bins=20"),
        ({"n_segments": 1}, "n_segments=1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        WideWorld(**arguments)


# ---- grids, backgrounds, truth ----


def test_grids_cover_every_kind_within_the_range():
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(80):
        grid = draw_grid(rng, 500)
        kinds.add(grid.kind)
        assert len(grid.freqs) == 500 and (np.diff(grid.freqs) > 0).all()
        assert grid.freqs[0] >= LOWEST * 0.99 and grid.freqs[-1] <= HIGHEST * 1.01
        assert (grid.merged[0] == 1) and (grid.merged > 1).any() == (grid.kind == "merged")
        assert (grid.span.max() > 0) == (grid.kind == "spans")
    assert kinds == set(GRID_SHARES)


def test_merged_bins_carry_the_averages_of_all_their_bins():
    world = WideWorld(grid="merged", n_bins=600, n_segments=10, none_share=1.0, gaps=False)
    row = world[2]
    widths = np.round(row.n_segments / 10)
    assert widths[0] == 1 and widths[-1] > 3
    z = np.log(row.psd) - row.log_background
    few, many = z[widths == 1].std(), z[widths >= widths.max() / 2].std()
    assert many < 0.75 * few


def test_a_background_scales_with_its_axis():
    freqs = np.geomspace(1, 1000, 400)
    first, second = (draw_background(np.random.default_rng(8), axis) for axis in (freqs, 50 * freqs))
    np.testing.assert_allclose(first, second, atol=1e-8)


def test_backgrounds_differ_and_stay_finite():
    rng = np.random.default_rng(1)
    spans = [np.ptp(draw_background(rng, np.arange(1.0, 1001.0))) for _ in range(60)]
    assert np.isfinite(spans).all() and np.quantile(spans, 0.9) > 10 > np.quantile(spans, 0.1)


def test_the_world_has_clean_spectra_gaps_both_estimators_and_enough_clean_cells():
    rows = [WideWorld(seed=2, n_bins=400)[index] for index in range(150)]
    assert 0.1 < np.mean([not row.noisy.any() for row in rows]) < 0.35
    assert 0.2 < np.mean([row.estimator == "welch_hann" for row in rows]) < 0.8
    assert 0.15 < np.mean([not row.valid.all() for row in rows]) < 0.6
    for row in rows:
        np.testing.assert_array_equal(np.isnan(row.psd), ~row.valid)
        np.testing.assert_array_equal(row.noisy, (row.ratio > NOISY_RATIO) & row.valid)
        assert (row.psd[row.valid] > 0).all()


def test_external_noise_appears_where_the_truth_says():
    world = WideWorld(seed=4, n_bins=800, n_segments=400, gaps=False, none_share=0.0)
    excess = [
        (np.exp(np.log(r.psd) - r.log_background)[r.noisy] / (1 + r.ratio[r.noisy]))
        for r in map(world.__getitem__, range(30))
    ]
    assert np.mean(np.concatenate(excess)) == pytest.approx(1.0, abs=0.03)


# ---- estimators ----


@pytest.mark.parametrize("estimator", ["welch", "welch_hann"])
@pytest.mark.parametrize("n_segments", [4, 60])
def test_averages_scatter_as_their_segments_say(estimator, n_segments):
    draws = estimates(300, 200, n_segments, estimator)
    expected = 1 / effective_segments(n_segments, estimator)
    assert draws.mean() == pytest.approx(1.0, abs=4 / np.sqrt(60_000 * n_segments / 2))
    assert draws.var() == pytest.approx(expected, rel=0.05)


def test_hann_neighbours_correlate_as_welch_makes_them():
    """Against scipy.signal.welch of white noise, and the closed form 0.46."""
    n_bins, n_segments = 400, 16
    rng = np.random.default_rng(0)
    series = rng.standard_normal((60, (n_segments + 1) * (n_bins + 1)))
    rows = welch(series, nperseg=2 * (n_bins + 1), detrend=False)[1][:, 1:-1]
    real, ours = rows / 2, estimates(60, n_bins, n_segments, "welch_hann")

    def correlation(values, lag):
        return np.corrcoef(values[:, :-lag].ravel(), values[:, lag:].ravel())[0, 1]

    assert hann_correlation()[0] == pytest.approx(0.46, abs=0.01)
    for lag in (1, 2, 3):
        assert correlation(ours, lag) == pytest.approx(correlation(real, lag), abs=0.025)
    assert ours.var() == pytest.approx(real.var(), rel=0.06)
    broad = [np.array([row[k : k + 20].mean() for row in v for k in range(0, 400, 20)]).std() for v in (ours, real)]
    assert broad[0] == pytest.approx(broad[1], rel=0.08)
    assert broad[1] * np.sqrt(20) / real.std() > 1.3


def test_a_coherent_line_is_noncentral_chi_squared():
    power, n_segments = 3.0, 5
    positions = np.arange(4.0, 100.0, 5.0)  # 20 lines, none of which reaches another's bin without a taper
    external = External(np.zeros(100), positions, np.full(20, power))
    values = estimates(200, 100, n_segments, "welch", external)[:, positions.astype(int)].ravel()
    law = ncx2(2 * n_segments, 2 * n_segments * power, scale=1 / (2 * n_segments))
    assert kstest(values, law.cdf).pvalue > 0.01
    incoherent = (1 + power) * estimates(40, 100, n_segments, "welch").ravel()
    assert values.std() < 0.75 * incoherent.std()  # what S (1 + r) times Gamma would scatter
    assert kstest(incoherent, law.cdf).pvalue < 1e-6


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_tapered_line_fills_the_lobe_that_welch_gives_it(share):
    """Mean and scatter at the bins around a sinusoid against a simulated time series."""
    n_bins, n_segments, place, power = 60, 8, 30 + share, 40.0
    segment = 2 * (n_bins + 1)
    rng = np.random.default_rng(1)
    times = np.arange((n_segments + 1) * segment // 2)
    amplitude = np.sqrt(2 * 2 * power * 1.5 / segment)  # of a sinusoid whose PSD peaks at power x the noise's 2
    lines = amplitude * np.sin(2 * np.pi * (place * times / segment + rng.random((1500, 1))))
    series = rng.standard_normal(lines.shape) + lines
    real = welch(series, nperseg=segment, detrend=False)[1][:, 1:-1] / 2
    external = External(np.zeros(n_bins), np.array([place - 1]), np.array([power]))  # bin 0 is frequency 1
    five = External(np.zeros(5 * n_bins), place - 1 + n_bins * np.arange(5), np.full(5, power))
    ours = estimates(300, 5 * n_bins, n_segments, "welch_hann", five).reshape(-1, n_bins)
    ratio = expected_ratio(external, "welch_hann", np.ones(n_bins, dtype=int))
    here = slice(25, 35)
    np.testing.assert_allclose(real.mean(axis=0)[here], 1 + ratio[here], rtol=0.05)
    np.testing.assert_allclose(ours.mean(axis=0)[here], 1 + ratio[here], rtol=0.05)
    np.testing.assert_allclose(ours.std(axis=0)[here], real.std(axis=0)[here], rtol=0.15)


def test_a_merged_bin_dilutes_a_line():
    external = External(np.zeros(400), np.arange(7.0, 400.0, 20.0), np.full(20, 30.0))
    ratio = expected_ratio(external, "welch", np.full(400, 10))
    assert ratio[7] == pytest.approx(3.0)
    draws = estimates(100, 400, 8, "welch", external, merged=10)
    assert draws[:, 7::20].mean() == pytest.approx(4.0, rel=0.01)
    assert draws[:, 3::20].var() == pytest.approx(1 / 80, rel=0.15)


# ---- shapes ----


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_its_height_at_every_size(name):
    for n_bins in (300, 3000):
        rng = np.random.default_rng(2)
        peaks = np.array([shape(rng, name, n_bins, (2.0, 2.0)).max() for _ in range(40)])
        assert (peaks <= 2.0 + 1e-12).all() and np.median(peaks) > 1.4


def test_narrow_shapes_may_be_ten_thousand_times_the_background_and_broad_ones_ten():
    rng = np.random.default_rng(0)
    drawn = [shape(rng, "bump", 1000) for _ in range(800)]
    narrow = np.array([row.max() for row in drawn if (row > row.max() / 2).sum() <= 8])
    broad = np.array([row.max() for row in drawn if (row > row.max() / 2).sum() > 20])
    assert narrow.max() > 2000 and broad.max() <= 10


def test_an_unknown_shape_is_named():
    with pytest.raises(ValueError, match="unknown shape 'triangle'"):
        shape(np.random.default_rng(0), "triangle", 100)


def test_cells_ignore_missing_bins():
    scores = np.full(25, np.nan)
    scores[12] = 3.0
    np.testing.assert_array_equal(cell_scores(scores, WIDE_CELL), [np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(cell_labels(scores > 0, WIDE_CELL), [False, True, False])
