"""The second generator: keyed, apart from the first, its estimators as they should be."""

import numpy as np
import pytest

from evidence.unknown.second_world import SecondWorld
from nblib.cells import NOISY_RATIO, WIDE_CELL, cell_labels


def test_a_spectrum_depends_on_seed_and_index_alone():
    first, again, other = SecondWorld(3, n_bins=300)[5], SecondWorld(3, n_bins=300)[5], SecondWorld(4, n_bins=300)[5]
    np.testing.assert_array_equal(first.psd, again.psd)
    assert not np.array_equal(first.psd[:50], other.psd[:50])


@pytest.mark.parametrize("grid", ["linear", "log"])
@pytest.mark.parametrize("estimator", ["welch", "welch_hann"])
def test_without_external_noise_it_scatters_about_the_background(grid, estimator):
    world = SecondWorld(grid=grid, estimator=estimator, none_share=1.0, n_segments=32, n_bins=400)
    rows = [world[index] for index in range(12)]
    ratio = np.array([np.log(row.psd) - row.log_background for row in rows])
    scaled = (ratio - np.median(ratio, axis=1, keepdims=True)) * np.sqrt(rows[0].n_segments)
    scaled = scaled[:, 30:]  # leakage reaches the first bins of a steep wall
    assert not any(row.noisy.any() for row in rows)
    assert 0.85 < np.median(np.abs(scaled)) / 0.6745 < 1.35
    neighbours = np.corrcoef(scaled[:, :60].ravel(), scaled[:, 1:61].ravel())[0, 1]
    assert (neighbours > 0.3) == (estimator == "welch_hann")


def test_external_power_is_where_the_truth_says_in_real_hann_spectra():
    world = SecondWorld(estimator="welch_hann", grid="linear", n_segments=50, n_bins=500, none_share=0.0)
    excesses = []
    for index in range(25):
        row = world[index]
        level = np.log(row.psd) - row.log_background
        level -= np.median(level[~row.noisy])
        strong = row.ratio > 3
        excesses += list(level[strong] - np.log1p(row.ratio[strong]))
        assert (level[~row.noisy][20:] < 1.5).mean() > 0.995
    assert len(excesses) > 50
    assert np.median(excesses) == pytest.approx(0.0, abs=0.08)


@pytest.mark.slow
def test_it_has_clean_spectra_both_estimators_and_grids():
    rows = [SecondWorld(1, sizes=(300, 500))[index] for index in range(60)]
    assert 0.05 < np.mean([not row.noisy.any() for row in rows]) < 0.5
    assert {row.estimator for row in rows} == {"welch", "welch_hann"}
    assert {row.grid for row in rows} == {"linear", "merged"}
    assert np.mean([cell_labels(row.noisy, WIDE_CELL).mean() for row in rows]) < 0.4
    for row in rows:
        assert (np.diff(row.freqs) > 0).all() and np.isfinite(row.psd).all() and (row.psd > 0).all()
        np.testing.assert_array_equal(row.noisy, row.ratio > NOISY_RATIO)
